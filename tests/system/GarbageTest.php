<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;
use Proletarier\Tests\Wire;

/**
 * What cannot be read costs its sender only.
 */
final class GarbageTest extends TestCase
{
    private const FRAMES = 10_000;

    private Daemon $daemon;
    private string $pull;

    protected function setUp(): void
    {
        $directory = sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4));
        $this->pull = "ipc://$directory.sock";
        $this->daemon = (new Daemon(['worker' => ['pool_size' => 2], 'broker' => ['pull' => $this->pull]]))->start();
    }

    protected function tearDown(): void
    {
        @unlink(substr($this->pull, strlen('ipc://')));
    }

    /** @return array<string, array{string, int, callable(int): string}> */
    public static function sockets(): array
    {
        return [
            'the clients\' socket' => ['events.sock', \ZMQ::SOCKET_DEALER, static fn (int $n): string => Wire::publish('mutant', ['n' => $n], str_repeat('s', 16), $n)],
            'the workers\' socket, introductions' => ['workers.sock', \ZMQ::SOCKET_DEALER, static fn (int $n): string => Wire::ready($n % 3, getmypid())],
            'the workers\' socket, reports' => ['workers.sock', \ZMQ::SOCKET_DEALER, static fn (int $n): string => Wire::report($n % 5, $n % 4)],
            'the control socket' => ['control.sock', \ZMQ::SOCKET_DEALER, static fn (int $n): string => '{"command":"failed","after":' . $n . '}'],
            'the original\'s socket' => ['', \ZMQ::SOCKET_PUSH, static fn (int $n): string => '{"name":"mutant","params":{"n":' . $n . '}}'],
        ];
    }

    /**
     * @dataProvider sockets
     * @param callable(int): string $valid
     */
    public function testMutatedFramesChangeNothingButACounter(string $socket, int $kind, callable $valid): void
    {
        mt_srand(20261124);
        $endpoint = $socket === '' ? $this->pull : "ipc://{$this->daemon->directory}/run/$socket";
        $peer = new \ZMQSocket(new \ZMQContext(), $kind);
        $peer->setSockOpt(\ZMQ::SOCKOPT_SNDHWM, 0);
        $peer->setSockOpt(\ZMQ::SOCKOPT_LINGER, 0);
        if ($kind === \ZMQ::SOCKET_DEALER) {
            $peer->setSockOpt(\ZMQ::SOCKOPT_IDENTITY, 'W9.1');
        }
        $peer->connect($endpoint);
        Daemon::await(fn (): bool => $this->status()['workers'] === 2, fn (): string => 'two workers');
        $before = $this->status();
        $client = $this->daemon->client();
        for ($n = 1; $n <= self::FRAMES; $n++) {
            $peer->send(Wire::mutate($valid($n)));
            if ($n % 100 === 0) {
                $client->trigger('one', ['honest' => $n]);
            }
        }
        // The last of the honest ones comes after all of the others only where both go the same way: so ask until all are counted.
        $handled = $this->daemon->awaitHandled(self::FRAMES / 100);
        Daemon::await(fn (): bool => $this->status()['malformed'] > $before['malformed'], fn (): string => 'the counter');
        self::assertSame(range(100, self::FRAMES, 100), self::sorted(array_column(array_column($handled, 'params'), 'honest')));
        $after = $this->status();
        self::assertSame([$before['pid'], 2, 0], [$after['pid'], $after['workers'], $after['counters']['deaths']]);
    }

    public function testTheOriginalsClientAtTheNewSocketIsToldWhatToSet(): void
    {
        // Garbage elsewhere, told of just before, must not hide the hint.
        $garbage = new \ZMQSocket(new \ZMQContext(), \ZMQ::SOCKET_PUSH);
        $garbage->connect($this->pull);
        $garbage->send('{');
        Daemon::await(fn (): bool => str_contains($this->daemon->log(), 'could not be read'), fn (): string => $this->daemon->log());
        $push = new \ZMQSocket(new \ZMQContext(), \ZMQ::SOCKET_PUSH);
        $push->setSockOpt(\ZMQ::SOCKOPT_LINGER, 0);
        $push->connect("ipc://{$this->daemon->directory}/run/events.sock");
        Daemon::await(fn (): bool => str_contains($this->daemon->log(), 'set broker.pull'), fn (): string => 'a hint in ' . $this->daemon->log());
        self::assertSame(0, $this->status()['counters']['accepted']);
    }

    /** @return array<string, mixed> what the control socket tells */
    private function status(): array
    {
        $control = new \ZMQSocket(new \ZMQContext(), \ZMQ::SOCKET_REQ);
        $control->setSockOpt(\ZMQ::SOCKOPT_RCVTIMEO, 5000);
        $control->connect("ipc://{$this->daemon->directory}/run/control.sock");
        $control->send('{"command":"status"}');
        $answer = $control->recv();
        self::assertIsString($answer, 'the broker answers');

        return json_decode($answer, true);
    }

    /**
     * @param list<int> $numbers
     * @return list<int>
     */
    private static function sorted(array $numbers): array
    {
        sort($numbers);

        return $numbers;
    }
}
