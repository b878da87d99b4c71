<?php

declare(strict_types=1);

namespace Proletarier\Factory;

/**
 * Makes the service Proletarier\Broker: a daemon that is the broker alone.
 */
final class BrokerFactory extends DaemonFactory
{
    protected const ROLE = 'broker';
}
