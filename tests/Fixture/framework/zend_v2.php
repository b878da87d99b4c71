<?php

/**
 * Stands for zend-eventmanager 2.4, which no distribution has any more: the parts of it that the bridge and listeners meet, with v2's
 * signatures. Listeners are sorted by priority, named ones before '*'.
 */

declare(strict_types=1);

namespace Zend\EventManager;

interface EventInterface
{
    public function getName();

    public function getTarget();

    public function getParams();

    public function getParam($name, $default = null);

    public function setName($name);

    public function setTarget($target);

    public function setParams($params);

    public function setParam($name, $value);

    public function stopPropagation($flag = true);

    public function propagationIsStopped();
}

interface EventManagerInterface
{
    public function attach($event, $callback = null, $priority = 1);

    public function attachAggregate(ListenerAggregateInterface $aggregate, $priority = 1);

    public function detach($listener);

    public function trigger($event, $target = null, $argv = [], $callback = null);
}

interface ListenerAggregateInterface
{
    public function attach(EventManagerInterface $events);

    public function detach(EventManagerInterface $events);
}

class Event implements EventInterface
{
    protected $name;
    protected $target;
    protected $params = [];
    protected $stopPropagation = false;

    public function __construct($name = null, $target = null, $params = null)
    {
        $this->setName($name);
        $this->setTarget($target);
        $this->setParams($params ?? []);
    }

    public function getName()
    {
        return $this->name;
    }

    public function getTarget()
    {
        return $this->target;
    }

    public function getParams()
    {
        return $this->params;
    }

    public function getParam($name, $default = null)
    {
        return $this->params[$name] ?? $default;
    }

    public function setName($name)
    {
        $this->name = (string) $name;
    }

    public function setTarget($target)
    {
        $this->target = $target;
    }

    public function setParams($params)
    {
        $this->params = $params;
    }

    public function setParam($name, $value)
    {
        $this->params[$name] = $value;
    }

    public function stopPropagation($flag = true)
    {
        $this->stopPropagation = (bool) $flag;
    }

    public function propagationIsStopped()
    {
        return $this->stopPropagation;
    }
}

final class CallbackHandler
{
    public function __construct(public readonly mixed $callback, public readonly string $event)
    {
    }
}

class EventManager implements EventManagerInterface
{
    private array $handlers = [];

    public bool $isShared = true;

    public function __construct($identifiers = null)
    {
    }

    public function unsetSharedManager()
    {
        $this->isShared = false;
    }

    public function attach($event, $callback = null, $priority = 1)
    {
        if ($event instanceof ListenerAggregateInterface) {
            return $this->attachAggregate($event, $callback);
        }

        return $this->handlers[$event][$priority][] = new CallbackHandler($callback, $event);
    }

    public function attachAggregate(ListenerAggregateInterface $aggregate, $priority = 1)
    {
        return $aggregate->attach($this, $priority);
    }

    public function detach($listener)
    {
        if (!$listener instanceof CallbackHandler) {
            throw new \InvalidArgumentException('a CallbackHandler is expected');
        }
        foreach ($this->handlers[$listener->event] as &$handlers) {
            $handlers = array_filter($handlers, static fn ($handler) => $handler !== $listener);
        }

        return true;
    }

    public function trigger($event, $target = null, $argv = [], $callback = null)
    {
        if (!$event instanceof EventInterface) {
            $event = new Event($event, $target, $argv);
        }
        $event->stopPropagation(false);
        $byPriority = $this->handlers[$event->getName()] ?? [];
        foreach ($this->handlers['*'] ?? [] as $priority => $handlers) {
            $byPriority[$priority] = [...$byPriority[$priority] ?? [], ...$handlers];
        }
        krsort($byPriority);
        foreach (array_merge(...$byPriority) as $handler) {
            ($handler->callback)($event);
            if ($event->propagationIsStopped()) {
                return;
            }
        }
    }
}
