<?php

declare(strict_types=1);

namespace Proletarier\Listener;

use Proletarier\Exception\Configuration;
use Proletarier\Framework\Names;

/**
 * Provides the listeners of an application from its configuration, `proletarier.listeners`.
 *
 * Names are checked here, in the process that the user started, and made in the workers: see NamedListener.
 */
final class Listeners
{
    private const LISTENER = 'a listener is a callable, the name of a service or of a class with __invoke(), '
        . 'or [service or class, method]';

    private const ENTRY = 'an entry is [event, listener, priority?, options?], a map with the keys event and listener, or a listener '
        . 'aggregate: an object with attach(), or the name of a service or class';

    /** @var array<array-key, array|object> */
    private array $attachable = [];

    /** @var list<NamedListener|NamedAggregate> */
    private array $named = [];

    private function __construct(private object $container)
    {
    }

    /**
     * @param object $container with get() and has()
     *
     * @throws Configuration that names the entry and what is accepted
     */
    public static function fromConfig(mixed $entries, object $container): self
    {
        if (!is_array($entries)) {
            throw new Configuration(
                sprintf('listeners: %s is not allowed: give a list or a map of entries; %s', get_debug_type($entries), self::ENTRY)
            );
        }
        // Before any class of a listener is loaded.
        Names::eventManager();
        $listeners = new self($container);
        foreach ($entries as $key => $entry) {
            // false takes an entry of other configuration away.
            if ($entry !== false) {
                $listeners->add($key, $entry, is_string($key) ? "listeners['$key']" : "listeners[$key]");
            }
        }

        return $listeners;
    }

    /**
     * What proletarier_run() takes: callables and aggregates, with no name left to look up.
     *
     * @return array<array-key, array|object>
     */
    public function attachable(): array
    {
        return $this->attachable;
    }

    /**
     * Makes all that the configuration names.
     *
     * @throws Configuration
     */
    public function make(): void
    {
        foreach ($this->named as $named) {
            $named->make();
        }
    }

    private function add(int|string $key, mixed $entry, string $label): void
    {
        if (!is_array($entry)) {
            $this->attachable[] = $this->aggregate($entry, $label);

            return;
        }
        $map = array_is_list($entry) ? $this->fromList($entry, $label) : $entry;
        if (!is_string($map['event'] ?? null) || !isset($map['listener'])) {
            throw new Configuration(sprintf('%s: event and listener are needed: %s', $label, self::ENTRY));
        }
        [$map['listener'], $name] = $this->listener($map['listener'], $label);
        $map['priority'] ??= 1;
        if (!is_int($map['priority'])) {
            throw new Configuration(sprintf('%s: the priority is %s: give an integer', $label, get_debug_type($map['priority'])));
        }
        if (is_string($key)) {
            $this->attachable[$key] = $map;

            return;
        }
        $options = array_diff_key($map, ['event' => 1, 'listener' => 1, 'priority' => 1]);
        if ($name !== null) {
            // The name in the configuration, and not the class that it leads to, is what stays the same over deploys.
            $options += ['id' => $map['event'] . ' ' . $name];
        }
        $this->attachable[] = [$map['event'], $map['listener'], $map['priority'], $options];
    }

    /**
     * @return array<string, mixed>
     */
    private function fromList(array $entry, string $label): array
    {
        [$event, $listener, $priority, $options] = $entry + [null, null, null, []];
        if (is_int($options)) {
            // Where the original Proletarier's code looked for it.
            [$priority, $options] = [$options, []];
        }
        if (!is_array($options) || count($entry) > 4) {
            throw new Configuration(sprintf('%s: %s', $label, self::ENTRY));
        }

        return ['event' => $event, 'listener' => $listener, 'priority' => $priority] + $options;
    }

    private function aggregate(mixed $entry, string $label): object
    {
        if (is_object($entry) && is_callable([$entry, 'attach'])) {
            return $entry;
        }
        $source = is_string($entry) ? Source::find($this->container, $entry, $label) : null;
        if ($source === null) {
            $what = is_string($entry) ? "'$entry' is neither a service nor a class" : get_debug_type($entry) . ' is not allowed';

            throw new Configuration(sprintf('%s: %s: %s', $label, $what, self::ENTRY));
        }
        if (!$source->mayHave('attach')) {
            throw $source->error('has no attach(): ' . self::ENTRY);
        }

        return $this->named[] = new NamedAggregate($source);
    }

    /**
     * @return array{callable, string|null} the listener, and its name where the configuration has one
     */
    private function listener(mixed $listener, string $label): array
    {
        if (is_object($listener) && is_callable($listener)) {
            return [$listener, null];
        }
        if (is_string($listener)) {
            [$name, $method, $written] = [$listener, '__invoke', $listener];
        } elseif (is_array($listener) && array_is_list($listener) && count($listener) === 2 && is_string($listener[1])) {
            [$name, $method] = $listener;
            if (is_object($name) && is_callable($listener)) {
                return [$listener, null];
            }
            $written = (is_object($name) ? $name::class : (is_string($name) ? $name : get_debug_type($name))) . '::' . $method;
        } else {
            throw new Configuration(sprintf('%s: %s is no listener: %s', $label, get_debug_type($listener), self::LISTENER));
        }

        $source = is_string($name) ? Source::find($this->container, $name, $label) : null;
        if (is_callable($listener) && !(is_string($name) && $this->container->has($name))) {
            // A function, or a static method.
            return [$listener, $written];
        }
        if ($source === null) {
            throw new Configuration(
                sprintf("%s: '%s' is neither a service nor a class nor callable: %s", $label, $written, self::LISTENER)
            );
        }
        if (!$source->mayHave($method)) {
            throw $source->error(sprintf('has no public method %s(): %s', $method, self::LISTENER));
        }

        return [$this->named[] = new NamedListener($source, $method), $written];
    }
}
