<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * Runs the broker alone.
 */
final class BrokerCommand extends DaemonCommand
{
    protected const NAME = 'broker';
    protected const DESCRIPTION = 'Run the broker alone';
    protected const SERVICE = 'Proletarier\Broker';
    protected const HAS_WORKERS = false;
}
