<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;

/**
 * A listener that is over its time limit is thrown a TimeoutError where it is, or its worker is killed; nothing else suffers.
 */
final class TimeoutTest extends TestCase
{
    private const APPLICATION = __DIR__ . '/limits.php';

    /** Of all the ways: each leaves it as it found it. */
    private static ?Daemon $shared = null;
    /** The same with OPcache's compiler. */
    private static ?Daemon $compiled = null;

    public static function tearDownAfterClass(): void
    {
        self::$shared = self::$compiled = null;
    }

    /** @return array<string, array{string}> */
    public static function interruptible(): array
    {
        $ways = ['a busy loop', 'a loop with calls', 'sleep', 'usleep', 'sleep again and again', 'stream_select', 'flock', 'a preg loop',
            'array_map', 'a generator', 'a fiber', 'a destructor', 'catch (Exception)'];
        $ways = [...$ways, ...(extension_loaded('sockets') ? ['socket_recv'] : [])];
        $ways = [...$ways, ...(extension_loaded('pcntl') ? ['asynchronous signals'] : [])];

        return array_combine($ways, array_map(static fn (string $way): array => [$way], $ways));
    }

    /** @dataProvider interruptible */
    public function testAnErrorIsThrownWhereItIsAndTheListenerIsTriedAgain(string $way): void
    {
        self::$shared ??= self::daemon(['timeout' => 0.2, 'grace' => 20]);
        self::assertThrown(self::$shared, $way);
    }

    /** @return array<string, array{string}> */
    public static function compiled(): array
    {
        return array_intersect_key(self::interruptible(), array_flip(['a busy loop', 'a loop with calls', 'array_map', 'a generator', 'sleep']));
    }

    /** @dataProvider compiled */
    public function testTheSameInMachineCode(string $way): void
    {
        if (!extension_loaded('Zend OPcache')) {
            self::markTestSkipped('there is no OPcache');
        }
        $ini = ['-d', 'opcache.enable_cli=1', '-d', 'opcache.jit_buffer_size=32M', '-d', 'opcache.jit=tracing'];
        self::$compiled ??= self::daemon(['timeout' => 0.2, 'grace' => 20], [], $ini);
        self::assertThrown(self::$compiled, $way);
    }

    public function testFinallyBlocksRunToTheirEnd(): void
    {
        $daemon = self::daemon(['timeout' => 0.2, 'grace' => 20]);
        $daemon->client()->trigger('slow', ['way' => 'a finally block']);
        self::assertSame(['behind 1 ', 'slow 1 finally', 'slow 2 '], self::sorted($daemon->awaitHandled(3)));
        self::assertStringNotContainsString('a worker died', $daemon->log());
    }

    public function testAFinallyBlockThatRunsIsNotCutShort(): void
    {
        $daemon = self::daemon(['timeout' => 0.2, 'grace' => 20]);
        $daemon->client()->trigger('slow', ['way' => 'after a finally block']);
        self::assertSame(['behind 1 ', 'slow 1 finally', 'slow 1 try', 'slow 2 '], self::sorted($daemon->awaitHandled(4)));
        self::assertStringNotContainsString('a worker died', $daemon->log());
    }

    public function testAListenersOwnLimitIsItsOwn(): void
    {
        $daemon = self::daemon(['timeout' => 0.2, 'grace' => 20], ['max_attempts' => 1]);
        foreach (['own' => 30_000_000, 'long' => 500_000, 'never' => 500_000] as $name => $micros) {
            $daemon->client()->trigger($name, ['micros' => $micros]);
        }
        self::assertSame(['long 1 ', 'never 1 '], self::sorted($daemon->awaitHandled(2)));
        self::assertSame(['own'], self::letters($daemon, 1, 'listeners')[0]);
        self::assertStringContainsString('the listener \"own\" ran for longer than its limit of 0.1 s', $daemon->log());
    }

    public function testADeadLetterNamesListenerLimitAndPlace(): void
    {
        $daemon = self::daemon(['timeout' => 0.1, 'grace' => 20], ['max_attempts' => 1]);
        $daemon->client()->trigger('slow', ['way' => 'sleep']);
        [$letter] = self::letters($daemon, 1);
        self::assertSame('timed_out', $letter['kind']);
        self::assertStringContainsString('the listener "slow" ran for longer than its limit of 0.1 s', $letter['error']);
        $spent = json_encode($letter['attempts'], JSON_UNESCAPED_SLASHES);
        self::assertStringContainsString('limits.php', $spent);
        self::assertStringContainsString('"trace":"#0 ', $spent);
        self::assertStringContainsString('#0', $daemon->log(), 'the trace');
    }

    /** @return array<string, array{string}> */
    public static function stubborn(): array
    {
        return ['what swallows it' => ['catch (Throwable)'], 'shutdown functions' => ['an end without end']];
    }

    /** @dataProvider stubborn */
    public function testWhatGoesOnIsKilledWhenTheGraceIsOver(string $way): void
    {
        $daemon = self::daemon(['timeout' => 0.1, 'grace' => 0.5]);
        $daemon->client()->trigger('slow', ['way' => $way]);
        self::assertSame(['behind 1 ', 'slow 2 '], self::sorted($daemon->awaitHandled(2)));
        self::assertStringContainsString('the listener \"slow\" ran for longer than its limit of 0.1 s, and did not end within 0.5 s', $daemon->log());
    }

    public function testABlockedReadIsKilledAndNamed(): void
    {
        $lines = file(self::APPLICATION);
        $line = 1 + array_key_first(array_filter($lines, static fn (string $line): bool => str_contains($line, '// Here it is.')));
        $daemon = self::daemon(['timeout' => 0.1, 'grace' => 0.3, 'pool_size' => 1], ['max_attempts' => 1]);
        $id = $daemon->client()->trigger('slow', ['way' => 'a read']);
        $daemon->client()->trigger('never', ['micros' => 1]);
        self::assertSame(['behind 1 ', 'never 1 '], self::sorted($daemon->awaitHandled(2)), 'the sibling and the next event ran');
        [$letter] = self::letters($daemon, 1);
        self::assertSame([$id, ['slow'], 'timed_out'], [$letter['id'], $letter['listeners'], $letter['kind']]);
        $spent = json_encode($letter['attempts'], JSON_UNESCAPED_SLASHES);
        self::assertStringContainsString('fread()', $spent, 'the trace');
        $logged = array_values(array_filter(explode("\n", $daemon->log()), static fn ($line) => str_contains($line, 'a worker died')));
        self::assertCount(1, $logged);
        foreach ([$id, 'SIGKILL', 'the listener \"slow\"', "limits.php:$line", 'fread()'] as $words) {
            self::assertStringContainsString($words, stripslashes($logged[0]) . $logged[0]);
        }
    }

    public function testNoErrorHitsAnotherRun(): void
    {
        $daemon = self::daemon(['timeout' => false, 'grace' => 20, 'pool_size' => 1]);
        $client = $daemon->client();
        mt_srand(4);
        foreach (range(1, 500) as $number) {
            $client->trigger('brief', ['seconds' => mt_rand(6_000, 14_000) / 1e6]);
        }
        // What has no limit is never thrown at, though it begins when a limit may just have passed.
        $runs = static fn (string $of): int => array_count_values(array_column($daemon->handled(), 'listener'))[$of] ?? 0;
        Daemon::await(static fn (): bool => $runs('free') >= 500, static fn (): string => "{$runs('free')} runs: {$daemon->log()}", 60);
        $within = $runs('brief');
        self::assertGreaterThan(0, $within);
        // One that is over when it has noted its end is both.
        $over = self::letters($daemon, max(1, 500 - $within), 'listeners');
        self::assertSame([['brief']], array_unique($over, SORT_REGULAR));
        self::assertStringNotContainsString('a worker died', $daemon->log());
    }

    /**
     * @param array<string, mixed> $worker
     * @param array<string, mixed> $retry
     * @param list<string> $ini
     */
    private static function daemon(array $worker, array $retry = [], array $ini = []): Daemon
    {
        $options = ['worker' => $worker + ['pool_size' => 2], 'retry' => $retry + ['delay' => 0.05], 'log' => ['format' => 'json']];

        return (new Daemon($options, self::APPLICATION, $ini))->start();
    }

    private static function assertThrown(Daemon $daemon, string $way): void
    {
        $before = count($daemon->handled());
        $logged = strlen($daemon->log());
        $id = $daemon->client()->trigger('slow', ['way' => $way]);
        $handled = array_slice($daemon->awaitHandled($before + 2), $before);
        self::assertSame(['behind 1 ', 'slow 2 '], self::sorted($handled));
        self::assertSame([$id, $id], array_column($handled, 'id'));
        $log = substr($daemon->log(), $logged);
        self::assertStringContainsString('Proletarier\\\\Exception\\\\TimeoutError', $log);
        self::assertStringContainsString('the listener \"slow\" ran for longer than its limit of 0.2 s', $log);
        self::assertStringNotContainsString('a worker died', $log);
    }

    /**
     * @param list<array<string, mixed>> $handled
     *
     * @return list<string> listener, attempt and what of each line
     */
    private static function sorted(array $handled): array
    {
        $lines = array_map(static fn (array $line): string => "{$line['listener']} {$line['attempt']} {$line['what']}", $handled);
        sort($lines);

        return $lines;
    }

    /** @return list<mixed> dead letters, or a field of each, once there are so many */
    private static function letters(Daemon $daemon, int $count, ?string $field = null): array
    {
        $letters = [];
        Daemon::await(static function () use ($daemon, $count, &$letters): bool {
            $letters = \proletarier_control(['command' => 'failed', 'limit' => 1000], ['runtime_dir' => $daemon->option('runtime_dir')])['letters'];

            return count($letters) >= $count;
        }, static fn (): string => "$count dead letters: " . $daemon->log());

        return $field === null ? $letters : array_column($letters, $field);
    }
}
