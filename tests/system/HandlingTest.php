<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;
use Proletarier\Tests\Params;

/**
 * Events that clients trigger are handled in other processes, each once, as they were.
 */
final class HandlingTest extends TestCase
{
    public function testTwentyThousandEventsOfFourClientsAreHandledOnceAndEqual(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 3]]))->start();
        $clients = [];
        foreach (['none', 'deferred', 'deferred', 'accepted'] as $client => $confirm) {
            $code = sprintf('foreach (range(0, 4999) as $n) { $client->trigger("one", Proletarier\Tests\Params::of(%d + $n)); }', $client * 5000);
            $clients[] = $daemon->clientProcess($code, $confirm);
        }
        $handled = $daemon->awaitHandled(20_000, 60);
        foreach ($clients as $client) {
            self::assertSame(0, proc_close($client), $daemon->said());
        }
        $seen = [];
        foreach ($handled as $line) {
            $number = $line['params']['number'];
            self::assertArrayNotHasKey($number, $seen, 'handled once');
            $seen[$number] = true;
            self::assertSame(Params::of($number), $line['params']);
        }
        self::assertCount(20_000, $seen);
    }

    public function testAProcessThatTriggersAndThenSleepsHasItsEventsHandledAtOnce(): void
    {
        $daemon = (new Daemon())->start();
        $client = $daemon->clientProcess('foreach (range(1, 100) as $n) { $client->trigger("one", ["n" => $n]); } sleep(60);');
        $daemon->awaitHandled(100, 5);
        proc_terminate($client, SIGKILL);
        proc_close($client);
        self::assertCount(100, array_unique(array_column(array_column($daemon->handled(), 'params'), 'n')));
    }

    public function testAHandlerThatTakesLongHoldsUpNobody(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 2]]))->start();
        $client = $daemon->client();
        $client->trigger('one', ['sleep' => 5]);
        foreach (range(1, 1000) as $number) {
            $client->trigger('one', ['sleep' => 0.001, 'n' => $number]);
        }
        $began = microtime(true);
        $handled = $daemon->awaitHandled(1000, 20);
        self::assertLessThan(4.5, microtime(true) - $began, 'the thousand are done while the one still runs');
        self::assertNotContains(['sleep' => 5], array_column($handled, 'params'));
        $daemon->awaitHandled(1001, 10);
    }

    public function testHandlersTriggerEventsThemselves(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 2]]))->start();
        foreach (range(1, 20) as $_) {
            $daemon->client()->trigger('chain', ['links' => 50]);
        }
        $links = array_count_values(array_column(array_column($daemon->awaitHandled(1000), 'params'), 'link'));
        self::assertSame(array_fill(0, 50, 20), array_values($links));
    }

    public function testAConnectionIsNotSharedOverAFork(): void
    {
        $daemon = (new Daemon())->start();
        $client = $daemon->clientProcess('$client->trigger("one", ["n" => "before"]);
            $child = pcntl_fork();
            foreach (range(1, 200) as $n) { $client->trigger("one", ["n" => ($child === 0 ? "child " : "parent ") . $n]); }
            $child === 0 || pcntl_waitpid($child, $status);');
        self::assertSame(0, proc_close($client), $daemon->said());
        $numbers = array_column(array_column($daemon->awaitHandled(401), 'params'), 'n');
        self::assertCount(401, array_unique($numbers));
        self::assertCount(401, array_unique(array_column($daemon->handled(), 'id')));
        self::assertSame('', $daemon->said());
    }

    public function testADelayedEventIsHandledWhenItIsDueAndNotBefore(): void
    {
        $daemon = (new Daemon())->start();
        $began = microtime(true);
        $daemon->client()->trigger('one', ['late' => true], ['delay' => 0.4]);
        [$handled] = $daemon->awaitHandled(1);
        self::assertGreaterThanOrEqual(0.4, $handled['began'] - $began);
    }

    public function testTheOriginalsWireIsUnderstoodWithGarbageBefore(): void
    {
        $daemon = new Daemon();
        $pull = "ipc://{$daemon->directory}/pull.sock";
        $daemon = new Daemon(['broker' => ['pull' => $pull], 'runtime_dir' => $daemon->directory . '/run']);
        $daemon->start();
        $push = new \ZMQSocket(new \ZMQContext(), \ZMQ::SOCKET_PUSH);
        $push->connect($pull);
        foreach (['', '{', "\xff\xfe", '[]', '{"name": ""}', '{"name": "one", "params": 7}', str_repeat('[', 5000)] as $garbage) {
            $push->send($garbage);
        }
        $push->sendMulti(['{"name": "one"}', '{}']);
        $push->send(json_encode(['name' => 'one', 'params' => ['account' => ['id' => 7, 'name' => 'Zoë']]]));
        [$handled] = $daemon->awaitHandled(1);
        self::assertSame(['account' => ['id' => 7, 'name' => 'Zoë']], $handled['params']);
        self::assertCount(1, $daemon->handled());
    }

    public function testAClientInPythonSpeaksTheProtocol(): void
    {
        $daemon = (new Daemon())->start();
        // The system's Python has the system's pyzmq, whatever else is on the PATH.
        $command = ['/usr/bin/python3', __DIR__ . '/../../examples/python/trigger.py', "ipc://{$daemon->directory}/run/events.sock"];
        $trigger = static function (string $name) use ($command): array {
            exec(implode(' ', array_map('escapeshellarg', [...$command, $name, '{"from": "Python", "zahl": 1.5}'])) . ' 2>&1', $said, $status);

            return [$status, implode("\n", $said)];
        };
        self::assertSame([0, ''], $trigger('one'));
        [$handled] = $daemon->awaitHandled(1);
        self::assertSame(['from' => 'Python', 'zahl' => 1.5], $handled['params']);
        [$status, $said] = $trigger('*');
        self::assertSame(1, $status);
        self::assertStringStartsWith('refused: ', $said);
    }

    public function testWhatHandlersPrintGoesToTheLogWithTheEventsId(): void
    {
        $daemon = (new Daemon())->start();
        $id = $daemon->client()->trigger('one', ['do' => ['one' => 'print']]);
        $daemon->awaitHandled(1);
        Daemon::await(fn (): bool => str_contains($daemon->log(), 'printed by one'), fn (): string => 'output in ' . $daemon->log());
        $line = current(preg_grep('/printed by one/', explode("\n", $daemon->log())));
        self::assertSame($id, json_decode($line, true)['event'] ?? null, $line);
    }

    public function testAnEventThatNoListenerTakesIsKeptAndTheNearestNameIsTold(): void
    {
        $daemon = (new Daemon())->start();
        $daemon->client()->trigger('fife', [], ['confirm' => 'accepted']);
        Daemon::await(fn (): bool => str_contains($daemon->log(), 'no listener takes the event'), fn (): string => 'a warning in ' . $daemon->log());
        self::assertStringContainsString('the nearest name that has one is \"five\"', $daemon->log());
    }
}
