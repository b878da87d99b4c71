<?php

declare(strict_types=1);

namespace Proletarier\Factory;

use Proletarier\Daemon;
use Proletarier\Hygiene\Hygiene;
use Proletarier\Listener\Listeners;
use Proletarier\Settings;

/**
 * Makes the daemon of the role in ROLE: broker and workers together.
 */
class DaemonFactory
{
    protected const ROLE = 'all';

    final public function __invoke($container, $name = null, $options = null): Daemon
    {
        $settings = Settings::of($container);

        return new Daemon(
            static::ROLE,
            $settings,
            // The broker runs no listener: it starts where the application's handlers cannot even be loaded.
            static::ROLE === 'broker' ? null : Listeners::fromConfig($settings['listeners'] ?? [], $container),
            $container->get('Proletarier\EventManager'),
            $container->get('Proletarier\Log'),
            static::ROLE === 'broker' ? null : new Hygiene((array) ($settings['hygiene'] ?? []), $container)
        );
    }
}
