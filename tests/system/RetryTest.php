<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;

/**
 * What an exception may say of the next attempt, policies of listeners, and what is told when there is none.
 */
final class RetryTest extends TestCase
{
    private static function awaitDead(Daemon $daemon, int $count = 1): void
    {
        $dead = static fn (): int => substr_count($daemon->log(), 'dead letter:');
        Daemon::await(static fn (): bool => $dead() >= $count, static fn (): string => "$count dead letters in " . $daemon->log());
    }

    public function testWhatIsUnrecoverableIsNotTriedAgain(): void
    {
        $daemon = (new Daemon())->start();
        $daemon->client()->trigger('one', ['do' => ['one' => 'give up']]);
        self::awaitDead($daemon);
        self::assertStringContainsString('for good', $daemon->log());
        self::assertSame(1, substr_count($daemon->log(), 'a listener failed'));
    }

    public function testAListenerSaysWhenItIsToBeTriedAgain(): void
    {
        $daemon = (new Daemon(['retry' => ['delay' => 60, 'jitter' => 0]]))->start();
        $began = microtime(true);
        $daemon->client()->trigger('one', ['do' => ['one' => 'later']]);
        [$handled] = $daemon->awaitHandled(1);
        self::assertSame(2, $handled['attempt']);
        self::assertGreaterThanOrEqual(0.5, $handled['began'] - $began);
    }

    public function testTheLastAttemptIsThatOfTheListenersOwnPolicy(): void
    {
        $daemon = (new Daemon(['retry' => ['max_attempts' => 5, 'delay' => 0.05]]))->start();
        $client = $daemon->client();
        $client->trigger('brief', ['do' => ['brief' => 'throw']]);
        $client->trigger('one', ['do' => ['one' => 'throw']]);
        $last = array_column($daemon->awaitHandled(2), 'last', 'listener');
        ksort($last);
        self::assertSame(['brief' => true, 'one' => false], $last);
        $client->trigger('brief', ['always' => true, 'do' => ['brief' => 'throw']]);
        self::awaitDead($daemon);
        self::assertSame(4, substr_count($daemon->log(), 'a listener failed'), 'one each, and both attempts of the last');
    }

    public function testADeathIsAnnouncedInOneAttempt(): void
    {
        $daemon = new Daemon(['worker' => ['pool_size' => 2]]);
        touch("{$daemon->directory}/herald");
        $daemon->start();
        $id = $daemon->client()->trigger('one', ['do' => ['one' => 'give up']]);
        [$handled] = $daemon->awaitHandled(1);
        self::assertSame(['herald', 'proletarier.dead', true], [$handled['listener'], $handled['name'], $handled['last']]);
        $params = $handled['params'];
        self::assertSame(['one', $id, 'one', 'unrecoverable'], [$params['event'], $params['id'], $params['listener'], $params['kind']]);
        self::assertSame('Proletarier\\Exception\\Unrecoverable: for good', $params['error']);
        self::assertSame(1, $params['attempts']);
        self::assertEqualsWithDelta(microtime(true), $params['at'] / 1e6, 60);
    }
}
