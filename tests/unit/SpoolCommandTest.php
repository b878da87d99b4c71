<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Command\SpoolCommand;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Tests\Fixture\FakeSpool;
use Proletarier\Tests\Fixture\Services;
use Symfony\Component\Console\Tester\CommandTester;

/**
 * The command `spool`.
 */
final class SpoolCommandTest extends TestCase
{
    private FakeSpool $spool;
    private CommandTester $tester;

    /** @param list<string> $inputs what somebody answers */
    private function spool(array $arguments, array $inputs = [], int $stays = 0): int
    {
        $this->spool ??= new FakeSpool([1 => FakeSpool::record('a'), FakeSpool::record('b'), FakeSpool::record('c')], $stays);
        $this->tester = new CommandTester(new SpoolCommand(new Services(['Proletarier\Spool' => $this->spool])));
        $this->tester->setInputs($inputs);

        return $this->tester->execute($arguments, ['capture_stderr_separately' => true, 'interactive' => $inputs !== []]);
    }

    public function testLists(): void
    {
        self::assertSame(0, $this->spool([]));
        $lines = explode("\n", rtrim($this->tester->getDisplay()));
        self::assertCount(4, $lines);
        self::assertSame(
            date('Y-m-d H:i:s', 1_700_000_001) . '  ' . date('Y-m-d H:i:s', 1_700_000_000) . '  c   order.placed',
            $lines[3]
        );
        self::assertSame(0, $this->spool(['--json' => true, '--limit' => '1']));
        self::assertSame('a', json_decode($this->tester->getDisplay(), true)['id']);
        self::assertSame("There may be more than these 1: --limit=N or --all shows them.\n", $this->tester->getErrorOutput());
    }

    public function testShows(): void
    {
        self::assertSame(0, $this->spool(['action' => 'show', 'what' => ['c']]));
        self::assertStringContainsString("order.placed, spooled\n", $this->tester->getDisplay());
        self::assertStringContainsString('"n": 1', $this->tester->getDisplay());
        self::assertSame(2, $this->spool(['action' => 'show', 'what' => ['x']]));
    }

    public function testDrains(): void
    {
        self::assertSame(0, $this->spool(['action' => 'drain']));
        self::assertSame("3 handed over, 0 left.\n", $this->tester->getDisplay());

        $this->spool = new FakeSpool([]);
        self::assertSame(2, $this->spool(['action' => 'drain', '--json' => true]));
        self::assertSame(['sent' => 0, 'left' => 0], array_slice(json_decode($this->tester->getDisplay(), true), 0, 2));
    }

    public function testWhatIsLeftIsAFailure(): void
    {
        self::assertSame(1, $this->spool(['action' => 'drain'], stays: 2));
        self::assertSame("1 handed over, 2 left.\n", $this->tester->getDisplay());
        self::assertSame(
            "no broker answered\n"
            . "2 are larger than broker.max_message_size, and set aside in the directory damaged of the spool.\n"
            . "9 bytes could not be read\n",
            $this->tester->getErrorOutput()
        );
    }

    public function testDiscards(): void
    {
        self::assertSame(2, $this->spool(['action' => 'discard', 'what' => ['b', 'x']]));
        self::assertSame("1 event discarded.\n", $this->tester->getDisplay());
        self::assertSame("None of the spooled events has the id x.\n", $this->tester->getErrorOutput());

        self::assertSame(1, $this->spool(['action' => 'discard', '--all' => true], ['n']));
        self::assertCount(2, $this->spool->records);
        self::assertSame(0, $this->spool(['action' => 'discard', '--all' => true], ['y']));
        self::assertSame([], $this->spool->records);

        $this->expectException(InvalidArgument::class);
        $this->expectExceptionMessage('discard: say which: ids, or --all');
        $this->spool(['action' => 'discard']);
    }
}
