<?php

/**
 * Prints which types of events a handler may ask for, and whether an aggregate of either generation is one of both.
 */

declare(strict_types=1);

use Proletarier\Framework\Framework;
use Proletarier\Tests\Fixture\NativeEvent;

$framework = Framework::create(static fn (string $name, callable $listener) => $listener);
$framework->attach('a', static fn (Zend\EventManager\EventInterface $event) => print 'Zend ', 4);
$framework->attach('a', static fn (Laminas\EventManager\EventInterface $event) => print 'Laminas ', 3);
$framework->attach('a', static fn (Proletarier\EventInterface $event) => print 'Proletarier ', 2);
$framework->attachAggregate(new class () implements Laminas\EventManager\ListenerAggregateInterface {
    public function attach(Laminas\EventManager\EventManagerInterface $events, $priority = 1)
    {
        $events->attach('a', static fn (Zend\EventManager\Event $event) => print 'aggregate', $priority);
    }

    public function detach(Laminas\EventManager\EventManagerInterface $events)
    {
    }
});
$framework->dispatch(new NativeEvent('a'));
