<?php

declare(strict_types=1);

namespace Proletarier\Hygiene;

/**
 * Clears Doctrine's entity managers after each event, so that the next one sees what is in the database, and what was loaded goes.
 *
 * One that an exception has closed can't be opened again, and a container gives the same one for as long as its process lives: so that worker
 * is replaced.
 */
final class EntityManagers
{
    public const INTERFACE = 'Doctrine\ORM\EntityManagerInterface';

    /** @var list<object> those that were made when there were $services services */
    private array $managers = [];
    private int $services = 0;

    public function __construct(private Made $made, private Recycling $recycling)
    {
    }

    /** Clears those that were made. */
    public function clear(): void
    {
        $services = count($this->made->all());
        if ($services !== $this->services) {
            $this->services = $services;
            $this->managers = $this->made->instancesOf(self::INTERFACE);
        }
        foreach ($this->managers as $manager) {
            if ($manager->isOpen()) {
                $manager->clear();
            } else {
                $this->recycling->ask('an exception has closed a Doctrine entity manager');
            }
        }
    }
}
