<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * For listeners to throw where another attempt would fail alike.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class Unrecoverable extends \RuntimeException implements ExceptionInterface, UnrecoverableExceptionInterface
{
}
