<?php

declare(strict_types=1);

namespace Proletarier\Factory;

/**
 * Makes the service Proletarier\Worker: a daemon of workers alone, for a broker elsewhere.
 */
final class WorkerFactory extends DaemonFactory
{
    protected const ROLE = 'worker';
}
