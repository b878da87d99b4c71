<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Command\QueuesCommand;
use Proletarier\Command\ReloadCommand;
use Proletarier\Command\StatusCommand;
use Proletarier\Command\StatusPage;
use Proletarier\Command\StopCommand;
use Proletarier\Exception\BrokerUnavailable;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Tests\Fixture\FakeControl;
use Proletarier\Tests\Fixture\Services;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Tester\CommandTester;

/**
 * The commands `status`, `queues`, `reload` and `stop`.
 */
final class StatusCommandsTest extends TestCase
{
    private FakeControl $control;
    private CommandTester $tester;

    protected function setUp(): void
    {
        $this->control = new FakeControl();
    }

    /** @param class-string<Command> $class */
    private function command(string $class, array $arguments = []): int
    {
        $this->tester = new CommandTester(new $class(new Services(['Proletarier\Control' => $this->control])));

        return $this->tester->execute($arguments, ['capture_stderr_separately' => true]);
    }

    /** @return array<string, mixed> */
    private static function status(int $workers = 2, array $reload = ['asked' => 0, 'ended' => 0, 'error' => null, 'generation' => 1]): array
    {
        $none = ['taken' => 0.0, 'done' => 0.0, 'failed' => 0.0];
        $times = ['count' => 9, 'p50' => 250, 'p99' => 1_500_000, 'max' => 2_000_000];

        return [
            // No processes of anybody's.
            'version' => '9', 'pid' => 0x7ffffff0, 'supervisor' => 0x7ffffff1, 'uptime' => 3_700.0, 'workers' => $workers,
            'processes' => [['worker' => 1, 'pid' => 0x7ffffff2, 'generation' => 3, 'state' => 'running', 'seconds' => 61.0, 'listener_seconds' => 0.5,
                'running' => ['id' => 'an-id', 'name' => "order\e[31m.placed", 'listener' => 'mail']]],
            'queues' => [['name' => 'default', 'last_10' => ['taken' => 1234.0, 'done' => 1.5] + $none, 'wait' => $times, 'run' => ['count' => 0] + $times]],
            'backlog' => ['pending' => 12_000, 'reserved' => 3, 'parked' => 4, 'dead' => 5],
            'overload' => null, 'spool' => ['files' => 1, 'bytes' => 2048], 'reload' => $reload,
        ];
    }

    public function testShowsTheStatus(): void
    {
        $this->control->statuses = [self::status()];
        self::assertSame(0, $this->command(StatusCommand::class));
        $page = $this->tester->getDisplay();
        self::assertStringContainsString('proletarier 9, up 1 h 01 min, pid 2147483633, 2 workers', $page);
        self::assertStringContainsString('12,000 pending, 3 running or in hand, 4 delayed', $page);
        self::assertStringContainsString('spool         2.0 kB in 1 file', $page);
        self::assertStringContainsString('250 us / 1.5 s', $page);
        self::assertStringContainsString('placed an-id for 1 min 01 s, in mail for 500 ms', $page);
        self::assertStringNotContainsString("\e", $page, 'nobody else moves the cursor');

        self::assertSame(0, $this->command(StatusCommand::class, ['--json' => true]));
        self::assertSame(['supervisor', 'broker', 'worker'], array_column(json_decode($this->tester->getDisplay(), true)['processes'], 'role'));
    }

    public function testADaemonWithoutWorkersIsNotWell(): void
    {
        $this->control->statuses = [self::status(0)];
        self::assertSame(1, $this->command(StatusCommand::class));
        self::assertStringContainsString('none of its workers is ready', $this->tester->getErrorOutput());

        $this->control->statuses = [new BrokerUnavailable('no daemon')];
        $this->expectException(BrokerUnavailable::class);
        $this->command(StatusCommand::class);
    }

    public function testWaitsForAReload(): void
    {
        $ended = ['asked' => 1, 'ended' => 1, 'error' => null, 'generation' => 2];
        $this->control->statuses = [self::status(), new BrokerUnavailable('it is being replaced'), self::status(2, $ended)];
        self::assertSame(0, $this->command(ReloadCommand::class, ['--wait' => '5']));
        self::assertSame("The new code runs: generation 2.\n", $this->tester->getDisplay());

        $this->control->statuses = [self::status(2, ['error' => 'a parse error', 'ended' => 2] + $ended)];
        self::assertSame(1, $this->command(ReloadCommand::class, ['--wait' => null]));
        self::assertStringContainsString('the old one goes on: a parse error', $this->tester->getErrorOutput());

        self::assertSame(1, $this->command(ReloadCommand::class, ['--wait' => '0.1']), 'the third never ends');
        self::assertStringContainsString('not ready after 0.1 s', $this->tester->getErrorOutput());

        self::assertSame(0, $this->command(ReloadCommand::class), 'nobody waits');
    }

    public function testWaitsForTheEnd(): void
    {
        $this->control->statuses = [self::status(), self::status(), new BrokerUnavailable('gone')];
        self::assertSame(0, $this->command(StopCommand::class, ['--wait' => '5']));
        self::assertSame("The daemon has stopped.\n", $this->tester->getDisplay());
        self::assertContains(['command' => 'stop'], $this->control->requests);

        $this->control->statuses = [self::status()];
        self::assertSame(1, $this->command(StopCommand::class, ['--wait' => '0.1']));
    }

    public function testHoldsQueuesUp(): void
    {
        self::assertSame(0, $this->command(QueuesCommand::class, ['action' => 'pause', 'queue' => ['a', 'b']]));
        self::assertSame([['command' => 'queue_pause', 'queue' => 'a'], ['command' => 'queue_pause', 'queue' => 'b']], $this->control->requests);
        $this->expectExceptionMessage("there is no action 'puase'; did you mean pause?");
        $this->command(QueuesCommand::class, ['action' => 'puase']);
    }

    public function testSpansOfTime(): void
    {
        foreach ([[0.000_25, '250 us'], [0.25, '250 ms'], [2.5, '2.5 s'], [61, '1 min 01 s'], [3_661, '1 h 01 min'], [90_000, '1 d 01 h']] as [$seconds, $shown]) {
            self::assertSame($shown, StatusPage::time($seconds));
        }
    }

    /** @dataProvider refused */
    public function testBadOptionsAreNamed(string $class, array $arguments, string $words): void
    {
        $this->expectException(InvalidArgument::class);
        $this->expectExceptionMessage($words);
        $this->command($class, $arguments);
    }

    public function refused(): array
    {
        return [
            [StatusCommand::class, ['--watch' => '0'], "--watch: '0' is not allowed: give seconds from 0.1 to 3600"],
            [ReloadCommand::class, ['--wait' => 'x'], "--wait: 'x' is not allowed"],
            [StopCommand::class, ['--wait' => '-1'], "--wait: '-1' is not allowed"],
            [QueuesCommand::class, ['action' => 'pause'], 'give the name of a queue'],
        ];
    }
}
