<?php

declare(strict_types=1);

namespace Proletarier;

use Proletarier\Hygiene\Hygiene;
use Proletarier\Listener\Listeners;

/**
 * The daemon of an application: the services Proletarier\Daemon, Proletarier\Broker and Proletarier\Worker, each in its role.
 */
final class Daemon
{
    /**
     * @param 'all'|'broker'|'worker' $role
     * @param array<string, mixed> $settings the key `proletarier` of the configuration
     * @param object $events the service Proletarier\EventManager
     * @param object $log the service Proletarier\Log
     * @param Hygiene|null $hygiene none where nothing of the application is run
     */
    public function __construct(
        private string $role,
        private array $settings,
        private ?Listeners $listeners,
        private object $events,
        private object $log,
        private ?Hygiene $hygiene = null
    ) {
    }

    /**
     * Runs until the process is told to stop, and returns its exit status. It returns in the process that called it only, never in a
     * worker.
     *
     * @param int|null $workers in place of `worker.pool_size`
     */
    public function run(?int $workers = null): int
    {
        Extension::assertLoaded();
        $this->hygiene?->attach($this->events);
        $this->hygiene?->beforeFork();

        return \proletarier_run($this->listeners?->attachable() ?? [], $this->options($workers));
    }

    /**
     * What proletarier_run() gets besides the listeners.
     *
     * The setting `events`, a callable that gets name and params, is for applications whose configuration is all they have: others
     * attach to the service Proletarier\EventManager.
     *
     * @return array<string, mixed>
     */
    public function options(?int $workers = null): array
    {
        $options = $this->settings;
        unset($options['listeners']);
        if ($workers !== null) {
            $options['worker']['pool_size'] = $workers;
        }
        if ($this->log instanceof Log || $this->log instanceof \Psr\Log\LoggerInterface) {
            $options['logger'] = $this->log;
        }

        return ['role' => $this->role, 'events' => $this->tell(...)] + $options;
    }

    /**
     * Passes an internal event on to the application. Each event has two of these: false says that nobody listens to this name, and that it
     * need not be told again.
     *
     * @param array<string, mixed> $params
     */
    private function tell(string $name, array $params): bool
    {
        if ($name === 'worker.launch') {
            // Before anything can be handled: a listener that cannot be made is a failure to boot, not a failure of its first event.
            $this->listeners?->make();
        }
        $this->events->trigger($name, null, $params);
        if (isset($this->settings['events'])) {
            ($this->settings['events'])($name, $params);

            return true;
        }

        return !method_exists($this->events, 'hears') || $this->events->hears($name);
    }
}
