<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * A listener that throws one of these is not tried again: its event becomes a dead letter at once.
 *
 * The extension defines this interface itself; this file is loaded only where the extension is absent.
 */
interface UnrecoverableExceptionInterface extends \Throwable
{
}
