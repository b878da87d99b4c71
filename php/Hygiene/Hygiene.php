<?php

declare(strict_types=1);

namespace Proletarier\Hygiene;

use Proletarier\Exception\Configuration;

/**
 * Keeps what one event leaves in a worker from the next: the setting `hygiene`. docs/operations.md has what and when.
 */
final class Hygiene
{
    private const DEFAULTS = ['database' => true, 'doctrine' => true, 'cycles' => true, 'gone_away' => false];

    /** @var array<string, bool> */
    private array $settings;

    private Made $made;

    /**
     * @param array<string, bool> $settings the key `hygiene`; who reads the others checks this one, too
     * @param object $container with get() and has()
     */
    public function __construct(array $settings, object $container, private Recycling $recycling = new Recycling())
    {
        foreach ($settings as $key => $value) {
            if (isset(self::DEFAULTS[$key]) && !is_bool($value) && $value !== null) {
                throw new Configuration(sprintf('hygiene.%s: %s is not allowed: true or false', $key, get_debug_type($value)));
            }
        }
        $this->settings = array_filter($settings, static fn (mixed $value): bool => $value !== null) + self::DEFAULTS;
        $this->made = new Made($container);
    }

    /** What is to be done in the process that booted the application, before it forks. */
    public function beforeFork(): int
    {
        return $this->settings['database'] ? (new Databases($this->made))->disconnect() : 0;
    }

    /**
     * What is to be done in a worker. Listens to what it needs only: each event that is told costs a call.
     *
     * @param object $events the service Proletarier\EventManager
     */
    public function attach(object $events): void
    {
        if ($this->settings['doctrine'] && interface_exists(EntityManagers::INTERFACE)) {
            $managers = new EntityManagers($this->made, $this->recycling);
            // Behind the application's own listeners, which may want to look.
            $events->attach('worker.result', static fn () => $managers->clear(), -1000);
        }
        if ($this->settings['cycles']) {
            $cycles = new Cycles();
            $events->attach('worker.idle', static fn () => $cycles->free(), -1000);
        }
        if ($this->settings['gone_away']) {
            $goneAway = new GoneAway($this->recycling);
            $look = static fn (array|object $told) => $goneAway->look(is_array($told) ? $told : $told->getParams());
            $events->attach('worker.error', $look, -1000);
        }
    }
}
