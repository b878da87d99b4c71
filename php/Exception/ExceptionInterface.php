<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * Everything that Proletarier throws implements this.
 *
 * The extension defines this interface itself; this file is loaded only where the extension is absent.
 */
interface ExceptionInterface extends \Throwable
{
}
