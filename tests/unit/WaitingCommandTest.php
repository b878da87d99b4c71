<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Command\WaitingCommand;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Tests\Fixture\FakeControl;
use Proletarier\Tests\Fixture\Services;
use Symfony\Component\Console\Tester\CommandTester;

/**
 * The command `waiting`.
 */
final class WaitingCommandTest extends TestCase
{
    private FakeControl $control;
    private CommandTester $tester;

    protected function setUp(): void
    {
        $this->control = new FakeControl(events: [
            1 => FakeControl::event('a'),
            2 => FakeControl::event('b', state: 'running'),
            3 => FakeControl::event('c', 'report.asked', 'delayed'),
        ]);
        $this->tester = new CommandTester(new WaitingCommand(new Services(['Proletarier\Control' => $this->control])));
    }

    /** @param list<string> $inputs what somebody answers */
    private function waiting(array $arguments, array $inputs = []): int
    {
        $this->tester->setInputs($inputs);

        return $this->tester->execute($arguments, ['capture_stderr_separately' => true, 'interactive' => $inputs !== []]);
    }

    public function testLists(): void
    {
        self::assertSame(0, $this->waiting([]));

        $lines = explode("\n", rtrim($this->tester->getDisplay()));
        $time = static fn (int $seconds): string => date('Y-m-d H:i:s', $seconds);
        self::assertCount(4, $lines);
        self::assertSame("{$time(1_700_000_000)}  b   order.placed  running  1" . str_repeat(' ', 29) . '(all)', $lines[2]);
        self::assertSame("{$time(1_700_000_000)}  c   report.asked  delayed  1        {$time(1_700_000_009)}  (all)", $lines[3]);

        self::assertSame(0, $this->waiting(['--name' => 'report.*', '--json' => true]));
        self::assertSame(['c'], [json_decode($this->tester->getDisplay(), true)['id']]);
    }

    public function testShows(): void
    {
        self::assertSame(0, $this->waiting(['action' => 'show', 'what' => ['c']]));
        self::assertStringContainsString("report.asked, delayed\n", $this->tester->getDisplay());
        self::assertStringContainsString('due        ' . date('Y-m-d H:i:s', 1_700_000_009), $this->tester->getDisplay());
        self::assertStringContainsString('"n": 1', $this->tester->getDisplay());
        self::assertStringNotContainsString('expires', $this->tester->getDisplay());
    }

    public function testCancelsWhatDoesNotRun(): void
    {
        self::assertSame(0, $this->waiting(['action' => 'cancel', '--all' => true]));
        self::assertSame("2 waiting events cancelled.\n", $this->tester->getDisplay());
        self::assertSame("1 is with a worker, and can only finish.\n", $this->tester->getErrorOutput());
        self::assertSame([2], array_keys($this->control->events));

        self::assertSame(1, $this->waiting(['action' => 'cancel', 'what' => ['b']]), 'nothing could be done');
        self::assertSame("0 waiting events cancelled.\n", $this->tester->getDisplay());
    }

    public function testPurgesByName(): void
    {
        self::assertSame(1, $this->waiting(['action' => 'purge', '--name' => 'order.*'], ['no']));
        self::assertStringContainsString("Cancel the waiting events with name 'order.*'? No listener will get them.", $this->tester->getErrorOutput());
        self::assertSame(0, $this->waiting(['action' => 'purge', '--name' => 'order.*'], ['yes']));
        self::assertSame([2, 3], array_keys($this->control->events));
    }

    public function testWhatMatchesNothing(): void
    {
        self::assertSame(2, $this->waiting(['action' => 'cancel', 'what' => ['x']]));
        self::assertSame("None of the waiting events has the id x.\n", $this->tester->getErrorOutput());
        $this->control->events = [];
        self::assertSame(0, $this->waiting([]));
        self::assertSame("There are no waiting events.\n", $this->tester->getErrorOutput());

        $this->expectException(InvalidArgument::class);
        $this->expectExceptionMessage('cancel: say which: ids, a filter (--name, --id, --listener, --text), or --all');
        $this->waiting(['action' => 'cancel']);
    }
}
