<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * What is done to a daemon and its clients, and how many seconds lie between two of a kind.
 */
enum Deed: string
{
    case KillWorker = 'worker killed';
    case KillBroker = 'broker killed';
    case KillZygote = 'zygote killed';
    case KillSupervisor = 'supervisor killed';
    case KillAll = 'whole daemon killed';
    case Stop = 'daemon stopped and started';
    case PauseBroker = 'broker held up for a second';
    case Reload = 'daemon reloaded';
    case KillProducer = 'producer killed';

    public function pause(): float
    {
        return match ($this) {
            self::KillWorker => 1.5,
            self::KillBroker => 10,
            self::KillZygote => 20,
            self::KillSupervisor => 60,
            self::KillAll => 30,
            self::Stop => 60,
            self::PauseBroker => 40,
            self::Reload => 8,
            self::KillProducer => 3,
        };
    }
}
