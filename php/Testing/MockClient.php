<?php

declare(strict_types=1);

namespace Proletarier\Testing;

use Proletarier\ClientInterface;

/**
 * The client of an application with `client.mock`: it checks as the real one does, and sends nothing. For tests written for the original
 * Proletarier, and for development without a daemon; RecordingClient has assertions.
 */
final class MockClient implements ClientInterface
{
    /** The default of broker.max_message_size. */
    public const MAX_MESSAGE_SIZE = 1048576;

    private bool $capture = false;

    /** @var list<string> */
    private array $messages = [];

    public function __construct(private int $maxMessageSize = self::MAX_MESSAGE_SIZE)
    {
    }

    public function trigger(string|object $event, $params = [], $options = []): string
    {
        $event = RecordedEvent::of($event, $params, $options, $this->maxMessageSize);
        if ($this->capture) {
            $name = json_encode($event->name, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
            $this->messages[] = sprintf('{"name":%s,"params":%s}', $name, $event->json);
        }

        return $event->id;
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
     * Starts or ends capturing.
     */
    public function captureMessages(bool $capture = true): void
    {
        $this->capture = $capture;
    }

    /**
     * @return list<string> JSON, as the original sent it: {"name": ..., "params": ...}
     */
    public function getCapturedMessages(): array
    {
        return $this->messages;
    }
}
