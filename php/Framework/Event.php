<?php

declare(strict_types=1);

namespace Proletarier\Framework;

use Proletarier\EventInterface;

/**
 * The event that listeners get in an application with a framework: the framework's own, and Proletarier's. Loaded after
 * Framework::create(), which gives BaseEvent its meaning.
 *
 * The framework's methods are repeated for Proletarier\EventInterface's types; parameters stay as open as the framework has them.
 */
final class Event extends BaseEvent implements EventInterface
{
    public function __construct(private EventInterface $origin)
    {
        parent::__construct($origin->getName(), null, $origin->getParams());
    }

    public function getName(): string
    {
        return parent::getName();
    }

    public function getTarget(): mixed
    {
        return parent::getTarget();
    }

    public function getParams(): array
    {
        return parent::getParams();
    }

    public function getParam($name, $default = null): mixed
    {
        return parent::getParam($name, $default);
    }

    public function setName($name): void
    {
        parent::setName($name);
    }

    public function setTarget($target): void
    {
        parent::setTarget($target);
    }

    /**
     * @param array|object $params listeners may rely on an array, so an object (prepareArgs() makes one) is turned into one
     */
    public function setParams($params): void
    {
        parent::setParams(match (true) {
            $params instanceof \Traversable => iterator_to_array($params),
            is_object($params) => get_object_vars($params),
            default => $params,
        });
    }

    public function setParam($name, $value): void
    {
        parent::setParam($name, $value);
    }

    public function stopPropagation($flag = true): void
    {
        parent::stopPropagation($flag);
    }

    public function propagationIsStopped(): bool
    {
        return parent::propagationIsStopped();
    }

    public function getId(): string
    {
        return $this->origin->getId();
    }

    public function getAttempt(): int
    {
        return $this->origin->getAttempt();
    }

    public function isLastAttempt(): bool
    {
        return $this->origin->isLastAttempt();
    }

    public function getTriggeredAt(): \DateTimeImmutable
    {
        return $this->origin->getTriggeredAt();
    }

    public function getHeaders(): array
    {
        return $this->origin->getHeaders();
    }
}
