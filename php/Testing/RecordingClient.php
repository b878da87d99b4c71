<?php

declare(strict_types=1);

namespace Proletarier\Testing;

use Closure;
use Proletarier\ClientInterface;

/**
 * A client for tests: it checks as the real one does, sends nothing, and answers what was triggered. Needs no extension.
 *
 *     $client = new RecordingClient();
 *     (new Registration($client))->register('ada@example.org');
 *     $client->assertTriggered('account.created', fn (array $params) => $params['mail'] === 'ada@example.org');
 */
final class RecordingClient implements ClientInterface
{
    /** @var list<RecordedEvent> */
    private array $events = [];

    public function __construct(private int $maxMessageSize = MockClient::MAX_MESSAGE_SIZE)
    {
    }

    public function trigger(string|object $event, $params = [], $options = []): string
    {
        return ($this->events[] = RecordedEvent::of($event, $params, $options, $this->maxMessageSize))->id;
    }

    public function flush(?float $timeout = null): int
    {
        return 0;
    }

    public function spooled(): int
    {
        return 0;
    }

    /**
     * @param string|null $name only those of this name
     *
     * @return list<RecordedEvent> in the order in which they were triggered
     */
    public function events(?string $name = null): array
    {
        return array_values(array_filter($this->events, static fn (RecordedEvent $event) => $name === null || $event->name === $name));
    }

    public function clear(): void
    {
        $this->events = [];
    }

    /**
     * @param (Closure(array<array-key, mixed>, RecordedEvent): bool)|null $params tells whether an event's params are the expected ones
     */
    public function assertTriggered(string $name, ?Closure $params = null): void
    {
        $events = $this->events($name);
        $matching = array_filter($events, static fn (RecordedEvent $event) => $params === null || $params($event->params, $event));

        Assertion::that($matching !== [], match (true) {
            $events === [] => sprintf("'%s' was not triggered; %s", $name, $this->summary()),
            default => sprintf(
                "'%s' was triggered, but not with the expected params:\n%s",
                $name,
                implode("\n", array_map(static fn (RecordedEvent $event) => $event->json, $events))
            ),
        });
    }

    public function assertNotTriggered(string $name): void
    {
        $this->assertTriggeredTimes($name, 0);
    }

    public function assertTriggeredTimes(string $name, int $times): void
    {
        $count = count($this->events($name));

        Assertion::that($count === $times, sprintf("'%s' was triggered %d times, not %d; %s", $name, $count, $times, $this->summary()));
    }

    private function summary(): string
    {
        $counts = array_count_values(array_map(static fn (RecordedEvent $event) => $event->name, $this->events));
        $list = array_map(static fn ($name, $count) => "'$name' ($count)", array_keys($counts), $counts);

        return $list === [] ? 'nothing was triggered' : 'triggered were ' . implode(', ', $list);
    }
}
