<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * Params that JSON cannot say: a closure, a resource, INF, text that is not UTF-8, an object without public properties. The
 * message names the path to it.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class Unencodable extends \InvalidArgumentException implements ExceptionInterface
{
}
