<?php

declare(strict_types=1);

namespace Proletarier\Hygiene;

/**
 * Provides the services that a container has made already, and makes none: get() would connect what nobody has used.
 *
 * No container tells this, so the property that holds its services is read. One that keeps them elsewhere has none, as seen from here.
 */
final class Made
{
    /** Laminas and Zend 3, this package's own, Zend 2, PHP-DI. */
    private const PROPERTIES = ['services', 'made', 'instances', 'resolvedEntries'];

    private ?\ReflectionProperty $property = null;

    /**
     * @param object $container with get() and has()
     */
    public function __construct(private object $container)
    {
        for ($class = new \ReflectionClass($container); $class && !$this->property; $class = $class->getParentClass()) {
            foreach (self::PROPERTIES as $name) {
                if ($class->hasProperty($name) && !$class->getProperty($name)->isStatic()) {
                    $this->property = $class->getProperty($name);
                    $this->property->setAccessible(true);
                    break;
                }
            }
        }
    }

    /**
     * @return array<array-key, mixed> by the container's own form of their names
     */
    public function all(): array
    {
        $services = $this->property?->isInitialized($this->container) ? $this->property->getValue($this->container) : [];

        return is_array($services) ? $services : [];
    }

    /**
     * Those of any of these classes and interfaces; those that are not loaded have no instances.
     *
     * @return list<object> each once, however many names it has
     */
    public function instancesOf(string ...$classes): array
    {
        $found = [];
        foreach ($this->all() as $service) {
            foreach ($classes as $class) {
                if ($service instanceof $class) {
                    $found[spl_object_id($service)] = $service;
                }
            }
        }

        return array_values($found);
    }
}
