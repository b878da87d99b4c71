<?php

/**
 * Prints what the bridge does with listeners of every kind, in a process that has a framework.
 */

declare(strict_types=1);

use Proletarier\Framework\Framework;
use Proletarier\Framework\Names;
use Proletarier\Tests\Fixture\NativeEvent;

Names::eventManager();

final class Aggregate implements Zend\EventManager\ListenerAggregateInterface
{
    private array $listeners = [];

    private object $events;

    public function attach(Zend\EventManager\EventManagerInterface $events, $priority = 1)
    {
        $this->events = $events;
        $this->listeners[] = $events->attach('a', [$this, 'on'], $priority);
    }

    public function detach(Zend\EventManager\EventManagerInterface $events)
    {
        array_map([$events, 'detach'], $this->listeners);
    }

    public function leave(): void
    {
        $this->detach($this->events);
    }

    public function events(): object
    {
        return $this->events;
    }

    public function on(Zend\EventManager\EventInterface $event): void
    {
        printf(
            "aggregate: %s x=%s id=%s attempt=%d last=%s at=%s headers=%s target=%s\n",
            $event->getName(),
            $event->getParam('x'),
            $event->getId(),
            $event->getAttempt(),
            json_encode($event->isLastAttempt()),
            $event->getTriggeredAt()->format('Y-m-d'),
            json_encode($event->getHeaders(), JSON_UNESCAPED_SLASHES),
            get_debug_type($event->getTarget())
        );
        $event->setParams(new ArrayObject(['x' => 'changed']));
    }
}

$guards = [];
$framework = Framework::create(static function (string $name, callable $listener, int $priority) use (&$guards): callable {
    return static function (object $event) use ($name, $listener, $priority, &$guards): mixed {
        $guards[] = "$name@$priority";

        return $listener($event);
    };
});
$dispatch = static function (string $name, array $params = []) use ($framework, &$guards): void {
    $guards = [];
    $framework->dispatch(new NativeEvent($name, $params));
    echo 'guards: ', implode(' ', $guards), "\n";
};

$framework->attach('a', static fn ($event) => print "last: x={$event->getParams()['x']}\n", -5);
$framework->attach('*', static fn ($event) => print "star: {$event->getName()}\n", 1);
$framework->attach('a', static fn () => print "named, first in\n", 1);
$framework->attachAggregate($aggregate = new Aggregate(), 7);
$dispatch('a', ['x' => 'original']);

$framework->attach('a', static function ($event): void {
    echo "stops\n";
    $event->stopPropagation();
}, 99);
$dispatch('a');

// As v2 lets a listener attach: several names at once. And detaching, by what attach() returned and by the listener.
$listener = static fn ($event) => print "b: by its name, x={$event->getParam('x')}\n";
$aggregate->leave();
$aggregate->events()->attach(['b', 'c'], $listener, 3);
$dispatch('b', ['x' => 1]);
$aggregate->events()->detach($listener);
$dispatch('b');

$framework->attach('d', static fn () => throw new RuntimeException('thrown'), 1);
try {
    $framework->dispatch(new NativeEvent('d'));
} catch (RuntimeException $error) {
    echo "passes through: {$error->getMessage()}\n";
}
