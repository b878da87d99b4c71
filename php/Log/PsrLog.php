<?php

declare(strict_types=1);

namespace Proletarier\Log;

use Proletarier\Log;
use Psr\Log\LoggerInterface;

/**
 * The log where psr/log is installed. Untyped parameters and void returns satisfy its versions 1, 2 and 3 alike.
 */
final class PsrLog extends Log implements LoggerInterface
{
}
