<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * Thrown inside a listener that ran longer than its `timeout`. An \Error, so that old code's `catch (\Exception)` does not
 * swallow it.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class TimeoutError extends \Error implements ExceptionInterface
{
}
