<?php

declare(strict_types=1);

namespace Proletarier;

/**
 * What an application triggers events with. The service is named Proletarier\ClientInterface, with the alias Proletarier\Client.
 *
 * The extension defines this interface itself; this file is its reference, and is loaded only where the extension is absent.
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
