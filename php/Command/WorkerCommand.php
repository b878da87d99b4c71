<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * Runs workers alone, for a broker elsewhere.
 */
final class WorkerCommand extends DaemonCommand
{
    protected const NAME = 'worker';
    protected const DESCRIPTION = 'Run workers alone, for a broker elsewhere';
    protected const SERVICE = 'Proletarier\Worker';
}
