<?php

declare(strict_types=1);

namespace Proletarier;

/**
 * The event that a listener gets. In an application with Laminas' or Zend's EventManager it implements their EventInterface as well.
 *
 * The extension defines this interface itself; this file is its reference, and is loaded only where the extension is absent.
 */
interface EventInterface
{
    public function getName(): string;

    /**
     * Always null where a worker made the event: no object crosses a process.
     */
    public function getTarget(): mixed;

    /**
     * @return array<array-key, mixed>
     */
    public function getParams(): array;

    public function getParam(string $name, mixed $default = null): mixed;

    public function setName(string $name): void;

    public function setTarget(mixed $target): void;

    /**
     * Changes what the listeners after this one see; a retry gets the original params.
     *
     * @param array<array-key, mixed> $params
     */
    public function setParams(array $params): void;

    public function setParam(string $name, mixed $value): void;

    /**
     * Keeps the listeners after this one from running, in this delivery.
     */
    public function stopPropagation(bool $flag = true): void;

    public function propagationIsStopped(): bool;

    /**
     * The id that trigger() returned. The same for every attempt, and so the key by which a listener can tell what it did before.
     */
    public function getId(): string;

    /**
     * Which attempt this is, from 1.
     */
    public function getAttempt(): int;

    /**
     * Whether the event becomes a dead letter if this attempt fails.
     */
    public function isLastAttempt(): bool;

    public function getTriggeredAt(): \DateTimeImmutable;

    /**
     * @return array<string, string>
     */
    public function getHeaders(): array;
}
