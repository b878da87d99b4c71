<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * Another daemon holds runtime_dir or the store; the message names its process.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class AlreadyRunning extends \RuntimeException implements ExceptionInterface
{
}
