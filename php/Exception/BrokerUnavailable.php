<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * No broker confirmed the event within `client.timeout`, and it could not be spooled, or must not.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class BrokerUnavailable extends \RuntimeException implements ExceptionInterface
{
}
