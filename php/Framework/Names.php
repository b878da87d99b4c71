<?php

declare(strict_types=1);

namespace Proletarier\Framework;

/**
 * Provides the names of the framework's event classes, in the generation that is installed and in the other one.
 *
 * Handlers of old applications are typed Zend\EventManager\EventInterface while Laminas is installed, or the reverse. Classes that
 * extend and implement those names are served by autoloaders, but PHP never autoloads to check the type of an argument: the name must
 * exist before the handler is called. So the aliases are made eagerly, before any handler is loaded.
 */
final class Names
{
    private const LAMINAS = 'Laminas\EventManager\\';

    private const ZEND = 'Zend\EventManager\\';

    /** In the order in which they can be loaded: a class after the interfaces it names. */
    private const SHARED = [
        'EventInterface',
        'EventManagerInterface',
        'ListenerAggregateInterface',
        'ListenerAggregateTrait',
        'AbstractListenerAggregate',
        'Event',
        'EventManager',
    ];

    /**
     * The framework's EventManager, Laminas' where both are there; null where there is none. Makes the aliases.
     *
     * @return class-string|null
     */
    public static function eventManager(): ?string
    {
        foreach ([self::LAMINAS => self::ZEND, self::ZEND => self::LAMINAS] as $present => $absent) {
            if (class_exists($present . 'EventManager')) {
                self::alias($present, $absent);

                return $present . 'EventManager';
            }
        }

        return null;
    }

    private static function alias(string $present, string $absent): void
    {
        foreach (self::SHARED as $name) {
            if (self::exists($present . $name) && !self::exists($absent . $name)) {
                class_alias($present . $name, $absent . $name);
            }
        }
    }

    private static function exists(string $name): bool
    {
        return class_exists($name) || interface_exists($name) || trait_exists($name);
    }
}
