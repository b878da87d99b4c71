<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * An event name or an option of trigger() that is not allowed. The message names field, value and limit.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class InvalidArgument extends \InvalidArgumentException implements ExceptionInterface
{
}
