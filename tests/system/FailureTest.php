<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;

/**
 * A listener that fails, in whatever way, is tried again by itself; no other listener runs again or is skipped.
 */
final class FailureTest extends TestCase
{
    /** @return array<string, array{string, string}> */
    public static function ways(): array
    {
        return [
            'a worker that is killed' => ['kill', 'SIGKILL'],
            'exit()' => ['exit', 'exit'],
            'memory that is exhausted' => ['memory', 'Allowed memory size'],
            'an exception' => ['throw', 'as asked'],
            'a fatal error' => ['fatal', 'as asked'],
        ];
    }

    /** @dataProvider ways */
    public function testTheSecondAttemptSucceeds(string $way, string $words): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 2]]))->start();
        $id = $daemon->client()->trigger('one', ['do' => ['one' => $way]]);
        [$handled] = $daemon->awaitHandled(1);
        self::assertSame([$id, 2], [$handled['id'], $handled['attempt']]);
        self::assertStringContainsString($words, $daemon->log());
        self::assertCount(1, $daemon->handled());
    }

    /** @return array<string, array{string, string}> */
    public static function dying(): array
    {
        $cases = [];
        foreach (['a', 'b', 'c', 'd', 'e'] as $listener) {
            foreach (array_column(self::ways(), 0) as $way) {
                $cases["$listener by $way"] = [$listener, $way];
            }
        }

        return $cases;
    }

    private static ?Daemon $shared = null;

    public static function tearDownAfterClass(): void
    {
        self::$shared = null;
    }

    /** @dataProvider dying */
    public function testOfFiveListenersOneFailsAndEveryOtherRunsOnce(string $dying, string $way): void
    {
        // One daemon for all cases: each leaves it as it found it.
        $daemon = self::$shared ??= (new Daemon(['worker' => ['pool_size' => 2]]))->start();
        $before = count($daemon->handled());
        $id = $daemon->client()->trigger('five', ['do' => [$dying => $way]]);
        $handled = array_slice($daemon->awaitHandled($before + 5), $before);
        $attempts = array_column($handled, 'attempt', 'listener');
        ksort($attempts);
        self::assertSame(array_fill(0, 5, $id), array_column($handled, 'id'));
        self::assertSame([$dying => 2] + ['a' => 1, 'b' => 1, 'c' => 1, 'd' => 1, 'e' => 1], [$dying => $attempts[$dying]] + $attempts);
    }

    public function testInAChunkOfMatesNoneRunsAgainWhereOneDies(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 1]]))->start();
        $client = $daemon->client();
        // Fast handlers get large chunks; the first in line sleeps, so that the rest gathers behind it.
        foreach (range(1, 2000) as $number) {
            $client->trigger('one', ['warm' => $number]);
        }
        $daemon->awaitHandled(2000);
        $client->trigger('one', ['sleep' => 0.2, 'n' => 0]);
        foreach (range(1, 400) as $number) {
            $client->trigger('one', ['n' => $number, 'do' => $number % 37 === 31 ? ['one' => 'kill'] : []]);
        }
        $handled = array_slice($daemon->awaitHandled(2401), 2000);
        $attempts = [];
        foreach ($handled as $line) {
            $attempts[$line['params']['n']][] = $line['attempt'];
        }
        self::assertCount(401, $attempts);
        foreach ($attempts as $number => $of) {
            self::assertSame([$number % 37 === 31 ? 2 : 1], $of, "event $number");
        }
    }

    public function testAHandlersForkThatReturnsDoesNotWorkOnInItsParentsName(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 1]]))->start();
        $client = $daemon->client();
        $client->trigger('one', ['n' => 0, 'do' => ['one' => 'fork']]);
        foreach (range(1, 50) as $number) {
            $client->trigger('one', ['n' => $number]);
        }
        // Both processes came to the end of the first; only the worker goes on.
        $numbers = array_count_values(array_column(array_column($daemon->awaitHandled(52), 'params'), 'n'));
        self::assertSame([2] + array_fill(1, 50, 1), $numbers);
        self::assertCount(4, $daemon->processes());
    }

    public function testWhatAListenerTriggersIsKeptBeforeTheListenerCountsAsDone(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 1], 'state_dir' => '%dir%/state']))->start();
        $daemon->client()->trigger('held', ['do' => ['next' => 'kill']]);
        $worker = $daemon->workerOf('held');
        // No broker takes the event that it triggers, before the worker dies in the listener behind it.
        $daemon->signal(SIGSTOP);
        posix_kill($daemon->process('proletarier: broker'), SIGKILL);
        touch("$daemon->directory/go");
        Daemon::await(static fn (): bool => !array_key_exists($worker, $daemon->processes()), static fn (): string => 'the end of the worker');
        $daemon->signal(SIGCONT);
        $handled = array_column($daemon->awaitHandled(2), 'attempt', 'listener');
        ksort($handled);
        self::assertSame(['next' => 2, 'one' => 1], $handled);
    }

    public function testAttemptsThatAreSpentMakeADeadLetter(): void
    {
        $daemon = (new Daemon(['retry' => ['max_attempts' => 3, 'delay' => 0.01]]))->start();
        $daemon->client()->trigger('one', ['always' => true, 'do' => ['one' => 'throw']]);
        Daemon::await(fn (): bool => str_contains($daemon->log(), 'dead letter'), fn (): string => 'a dead letter in ' . $daemon->log());
        self::assertSame(3, substr_count($daemon->log(), 'a listener failed'));
        self::assertCount(0, $daemon->handled());
    }
}
