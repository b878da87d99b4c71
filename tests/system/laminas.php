<?php

/**
 * An application on Laminas' EventManager: `php laminas.php <directory> <options as JSON>`. Its listeners append lines to
 * `<directory>/handled`, in the order in which they run.
 */

declare(strict_types=1);

use Laminas\EventManager\EventInterface;
use Laminas\EventManager\EventManagerInterface;
use Laminas\EventManager\ListenerAggregateInterface;
use Laminas\EventManager\ListenerAggregateTrait;

require __DIR__ . '/../bootstrap.php';
require 'Laminas/EventManager/autoload.php';

[, $directory, $options] = $argv;

$write = static function (string $listener, $event) use ($directory): void {
    $line = ['listener' => $listener, 'id' => $event->getId(), 'class' => get_class($event), 'attempt' => $event->getAttempt()];
    file_put_contents("$directory/handled", json_encode($line) . "\n", FILE_APPEND);
};

$aggregate = new class ($write) implements ListenerAggregateInterface {
    use ListenerAggregateTrait;

    public function __construct(private Closure $write)
    {
    }

    public function attach(EventManagerInterface $events, $priority = 1)
    {
        $this->listeners[] = $events->attach('ordered', [$this, 'late'], -5);
        $this->listeners[] = $events->attach('ordered', [$this, 'early'], 100);
        $this->listeners[] = $events->attach('stopped', [$this, 'stop'], 10);
    }

    public function late(EventInterface $event): void
    {
        ($this->write)('late', $event);
    }

    public function early(EventInterface $event): void
    {
        ($this->write)('early', $event);
        if ($event->getAttempt() === 1 && $event->getParam('throw')) {
            throw new RuntimeException('as asked');
        }
    }

    public function stop(EventInterface $event): void
    {
        ($this->write)('stop', $event);
        $event->stopPropagation();
    }
};

exit(\proletarier_run([
    ['*', fn (EventInterface $event) => $write('all', $event), 1],
    'second' => ['event' => 'ordered', 'listener' => fn (EventInterface $event) => $write('second', $event)],
    'third' => ['event' => 'ordered', 'listener' => fn (EventInterface $event) => $write('third', $event)],
    $aggregate,
], json_decode($options, true)));
