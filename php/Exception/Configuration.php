<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * A setting or a listener entry that is wrong. The message names the key, the value and what is allowed.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class Configuration extends \InvalidArgumentException implements ExceptionInterface
{
}
