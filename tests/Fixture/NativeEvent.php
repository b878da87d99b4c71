<?php

declare(strict_types=1);

namespace Proletarier\Tests\Fixture;

use Proletarier\EventInterface;

/**
 * Stands for the extension's event, where there is no extension.
 */
final class NativeEvent implements EventInterface
{
    private bool $stopped = false;

    public function __construct(private string $name, private array $params = [])
    {
    }

    public function getName(): string
    {
        return $this->name;
    }

    public function getTarget(): mixed
    {
        return null;
    }

    public function getParams(): array
    {
        return $this->params;
    }

    public function getParam(string $name, mixed $default = null): mixed
    {
        return $this->params[$name] ?? $default;
    }

    public function setName(string $name): void
    {
        $this->name = $name;
    }

    public function setTarget(mixed $target): void
    {
    }

    public function setParams(array $params): void
    {
        $this->params = $params;
    }

    public function setParam(string $name, mixed $value): void
    {
        $this->params[$name] = $value;
    }

    public function stopPropagation(bool $flag = true): void
    {
        $this->stopped = $flag;
    }

    public function propagationIsStopped(): bool
    {
        return $this->stopped;
    }

    public function getId(): string
    {
        return 'id-1';
    }

    public function getAttempt(): int
    {
        return 2;
    }

    public function isLastAttempt(): bool
    {
        return true;
    }

    public function getTriggeredAt(): \DateTimeImmutable
    {
        return new \DateTimeImmutable('2026-11-24T13:22:04.123Z');
    }

    public function getHeaders(): array
    {
        return ['traceparent' => '00-1-2-01'];
    }
}
