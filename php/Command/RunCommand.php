<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * Runs the whole daemon: broker and workers.
 */
final class RunCommand extends DaemonCommand
{
    protected const NAME = 'run';
    protected const DESCRIPTION = 'Run the daemon: broker and workers';
    protected const SERVICE = 'Proletarier\Daemon';
}
