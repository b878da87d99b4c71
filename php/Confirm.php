<?php

declare(strict_types=1);

namespace Proletarier;

/**
 * How much must be certain when trigger() returns.
 *
 * The extension defines this enum itself; this file is its reference, and is loaded only where the extension is absent.
 */
enum Confirm: string
{
    /** The event is in this process's send queue, and nothing follows it up. */
    case None = 'none';

    /** The same, and the client follows it up: confirmed, or spooled once `client.timeout` has passed. The default. */
    case Deferred = 'deferred';

    /** The broker has stored the event, or it is in the spool. */
    case Accepted = 'accepted';

    /** The same, and on disk: survives a power loss. */
    case Synced = 'synced';
}
