<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * The broker refused the event; the message says why.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class Rejected extends \RuntimeException implements ExceptionInterface
{
}
