<?php

declare(strict_types=1);

namespace Proletarier\Exception;

/**
 * The broker has as many events waiting as `broker.max_pending` lets it have; or no broker answers, and the spool has as much as
 * `client.spool_max` lets it have.
 *
 * The extension defines this class itself; this file is loaded only where the extension is absent.
 */
class Overloaded extends \RuntimeException implements ExceptionInterface
{
}
