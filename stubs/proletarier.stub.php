<?php

/**
 * What the extension proletarier brings. Made by stubs/generate.php; not to be loaded.
 */

namespace {

    /**
     * Runs the daemon until it is told to stop, and returns its exit status. Returns in the process that called it only, never in a worker.
     *
     * @param array<array-key, mixed> $listeners [event or '*', callable, priority?, options?], maps with the keys event and listener (and priority, id,
     *     timeout, retry, parallel), objects with attach(), or false
     * @param array<string, mixed> $options the key `proletarier` of the configuration, without `listeners`; beside it role ('all', 'broker', 'worker'),
     *     events (a callable that gets the internal events) and logger (an object with PSR-3's log())
     *
     * @throws Proletarier\Exception\Configuration
     * @throws Proletarier\Exception\AlreadyRunning
     */
    function proletarier_run(array $listeners, array $options = []): int
    {
    }

    /**
     * Asks the daemon at its control socket, and returns its answer.
     *
     * @param array<string, mixed> $request such as ['command' => 'status']; docs/protocol.md has them all
     * @param array<string, mixed> $options the key `proletarier` of the configuration, by which the socket is found; beside it timeout (seconds, 5)
     *
     * @return array<string, mixed>
     *
     * @throws Proletarier\Exception\BrokerUnavailable where nobody answers, or this user may not ask
     * @throws Proletarier\Exception\Rejected where the daemon refuses the request
     */
    function proletarier_control(array $request, array $options = []): array
    {
    }

    /**
     * Lists, drains or discards the events in this machine's spool.
     *
     * @param 'list'|'drain'|'discard' $action list: a page of `records`, and `next` for the page after; drain: sends them to client.connect, and
     *     tells how many were `sent` and are `left`; discard: tells how many (`done`)
     * @param array<string, mixed> $options the key `proletarier` of the configuration, by which the spool is found; beside it after, limit (100), id
     *     and params (false) of list, id or all of discard
     *
     * @return array<string, mixed>
     *
     * @throws Proletarier\Exception\BrokerUnavailable where the spool can't be used, or no broker takes what is in it
     */
    function proletarier_spool(string $action, array $options = []): array
    {
    }

    /**
     * Has this worker replaced after the event that it handles: the next one is there before it leaves, and no event counts as tried for it.
     *
     * @param string $reason for the log, and for `worker.shutdown`; of several that were given the first
     *
     * @return bool false outside of a worker, where nothing happens
     */
    function proletarier_recycle(string $reason): bool
    {
    }
}

namespace Proletarier {

    /**
     * Hands events to the broker. Connects with the first event; the connection belongs to the process and ends with it.
     */
    final class Client implements \Proletarier\ClientInterface
    {
        /**
         * {@inheritDoc}
         */
        public function trigger(string|object $event, array $params = [], array $options = []): string
        {
        }

        /**
         * {@inheritDoc}
         */
        public function flush(?float $timeout = null): int
        {
        }

        /**
         * {@inheritDoc}
         */
        public function spooled(): int
        {
        }

        /**
         * @param string|null $connect the broker's socket, such as 'ipc:///run/app/events.sock'; null: computed from the options
         * @param array{
         *     confirm?: 'none'|'deferred'|'accepted'|'synced',
         *     timeout?: int|float,
         *     spool?: bool|string,
         *     spool_max?: int|string,
         *     max_message_size?: int|string,
         *     state_dir?: string,
         *     runtime_dir?: string,
         *     permissions?: array<string, mixed>,
         * } $options the keys of `client`, and those that socket and spool are computed from
         *
         * @throws Exception\Configuration
         */
        public function __construct(?string $connect = null, array $options = [])
        {
        }
    }

    /**
     * What an application triggers events with. The service is named Proletarier\ClientInterface, with the alias Proletarier\Client.
     */
    interface ClientInterface
    {
        /**
         * Hands an event to the background and returns its id.
         *
         * @param string|object $event a name of 1 to 255 bytes of UTF-8, not '', '0' or '*'; or an event: any object with getName() and
         *     getParams()
         * @param array<array-key, mixed> $params what JSON can say; listeners get it as arrays. Merged over the params of an event object
         * @param array{
         *     confirm?: Confirm|'none'|'deferred'|'accepted'|'synced',
         *     delay?: int|float,
         *     at?: \DateTimeInterface,
         *     expires?: int|float|\DateTimeInterface,
         *     queue?: string,
         *     priority?: 'high'|'normal'|'low',
         *     key?: string,
         *     unique?: string,
         *     unique_for?: int|float,
         *     id?: string,
         *     headers?: array<string, string>,
         *     spool?: bool,
         * } $options delay (seconds) and at exclude each other, and so do key and a priority;
         *     while an event with the same unique key waits or runs, for unique_for seconds at most (a day), that one's id is
         *     returned; with spool false an event that no broker confirms in time is not spooled but throws, so that the level is
         *     accepted at least; null means not given
         *
         * @throws Exception\InvalidArgument for a wrong name or option
         * @throws Exception\Unencodable for params that JSON cannot say
         * @throws Exception\MessageTooLarge for params over broker.max_message_size bytes of JSON
         * @throws Exception\BrokerUnavailable where the event can neither be confirmed as asked nor be spooled
         * @throws Exception\Overloaded where the broker has as many events waiting as it may have, or the spool is full
         * @throws Exception\Rejected where the broker refuses the event
         */
        public function trigger(string|object $event, array $params = [], array $options = []): string;

        /**
         * Waits until every event of this process is confirmed or in the spool.
         *
         * @param float|null $timeout seconds; null: the client's own timeout
         *
         * @return int events that are neither, when the time is over
         */
        public function flush(?float $timeout = null): int;

        /**
         * How many events of this process went to the spool.
         */
        public function spooled(): int;
    }

    /**
     * How much must be certain when trigger() returns.
     */
    enum Confirm: string
    {
        case None = 'none';

        case Deferred = 'deferred';

        case Accepted = 'accepted';

        case Synced = 'synced';
    }

    /**
     * The event that a listener gets where no framework is there. Only workers make one.
     */
    final class Event implements \Proletarier\EventInterface
    {
        public function getName(): string
        {
        }

        /**
         * {@inheritDoc}
         */
        public function getTarget(): mixed
        {
        }

        /**
         * {@inheritDoc}
         */
        public function getParams(): array
        {
        }

        public function getParam(string $name, mixed $default = null): mixed
        {
        }

        public function setName(string $name): void
        {
        }

        public function setTarget(mixed $target): void
        {
        }

        /**
         * {@inheritDoc}
         */
        public function setParams(array $params): void
        {
        }

        public function setParam(string $name, mixed $value): void
        {
        }

        /**
         * {@inheritDoc}
         */
        public function stopPropagation(bool $flag = true): void
        {
        }

        public function propagationIsStopped(): bool
        {
        }

        /**
         * {@inheritDoc}
         */
        public function getId(): string
        {
        }

        /**
         * {@inheritDoc}
         */
        public function getAttempt(): int
        {
        }

        /**
         * {@inheritDoc}
         */
        public function isLastAttempt(): bool
        {
        }

        public function getTriggeredAt(): \DateTimeImmutable
        {
        }

        /**
         * {@inheritDoc}
         */
        public function getHeaders(): array
        {
        }

        /**
         * Throws: only workers make events.
         */
        public function __construct()
        {
        }
    }

    /**
     * The event that a listener gets. In an application with Laminas' or Zend's EventManager it implements their EventInterface as well.
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
}

namespace Proletarier\Exception {

    /**
     * Another daemon holds runtime_dir or the store; the message names its process.
     */
    class AlreadyRunning extends \RuntimeException implements \Proletarier\Exception\ExceptionInterface
    {
    }

    /**
     * No broker confirmed the event within `client.timeout`, and it could not be spooled, or must not.
     */
    class BrokerUnavailable extends \RuntimeException implements \Proletarier\Exception\ExceptionInterface
    {
    }

    /**
     * A setting or a listener entry that is wrong. The message names the key, the value and what is allowed.
     */
    class Configuration extends \InvalidArgumentException implements \Proletarier\Exception\ExceptionInterface
    {
    }

    /**
     * Everything that Proletarier throws implements this.
     */
    interface ExceptionInterface extends \Throwable
    {
    }

    /**
     * An event name or an option of trigger() that is not allowed. The message names field, value and limit.
     */
    class InvalidArgument extends \InvalidArgumentException implements \Proletarier\Exception\ExceptionInterface
    {
    }

    /**
     * Params over `broker.max_message_size` bytes of JSON.
     */
    class MessageTooLarge extends \LengthException implements \Proletarier\Exception\ExceptionInterface
    {
    }

    /**
     * The broker has as many events waiting as `broker.max_pending` lets it have; or no broker answers, and the spool has as much as
     * `client.spool_max` lets it have.
     */
    class Overloaded extends \RuntimeException implements \Proletarier\Exception\ExceptionInterface
    {
    }

    /**
     * The broker refused the event; the message says why.
     */
    class Rejected extends \RuntimeException implements \Proletarier\Exception\ExceptionInterface
    {
    }

    /**
     * For listeners to throw where they know when to try again. Counts as an attempt.
     */
    class RetryAfterException extends \RuntimeException implements \Proletarier\Exception\ExceptionInterface
    {
        private float $seconds;

        /**
         * @param float $seconds from now to the next attempt
         */
        public function __construct(string $message, float $seconds, ?\Throwable $previous = null)
        {
        }

        public function getSeconds(): float
        {
        }
    }

    /**
     * Thrown inside a listener that ran longer than its `timeout`. An \Error, so that old code's `catch (\Exception)` does not
     * swallow it.
     */
    class TimeoutError extends \Error implements \Proletarier\Exception\ExceptionInterface
    {
    }

    /**
     * Params that JSON cannot say: a closure, a resource, INF, text that is not UTF-8, an object without public properties. The
     * message names the path to it.
     */
    class Unencodable extends \InvalidArgumentException implements \Proletarier\Exception\ExceptionInterface
    {
    }

    /**
     * For listeners to throw where another attempt would fail alike.
     */
    class Unrecoverable extends \RuntimeException implements \Proletarier\Exception\ExceptionInterface, \Proletarier\Exception\UnrecoverableExceptionInterface
    {
    }

    /**
     * A listener that throws one of these is not tried again: its event becomes a dead letter at once.
     */
    interface UnrecoverableExceptionInterface extends \Throwable
    {
    }
}
