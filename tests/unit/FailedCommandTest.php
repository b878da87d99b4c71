<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Command\FailedCommand;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Tests\Fixture\FakeControl;
use Proletarier\Tests\Fixture\Services;
use Symfony\Component\Console\Tester\CommandTester;

/**
 * The command `failed`, on a daemon that makes many pages of everything.
 */
final class FailedCommandTest extends TestCase
{
    private FakeControl $control;
    private CommandTester $tester;
    private string $file;

    protected function setUp(): void
    {
        $this->control = new FakeControl([
            1 => FakeControl::letter('a', 'order.placed', 'warehouse', ['mail' => 'ada@example.org']),
            2 => FakeControl::letter('b', 'report.asked', 'report'),
            3 => FakeControl::letter('c', 'report.asked', 'report'),
            4 => FakeControl::letter('d', 'report.asked', 'report'),
            5 => FakeControl::letter('a', 'order.placed', 'mail', ['mail' => 'ada@example.org']),
        ]);
        $this->tester = new CommandTester(new FailedCommand(new Services(['Proletarier\Control' => $this->control])));
        $this->file = sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4)) . '.jsonl';
    }

    protected function tearDown(): void
    {
        is_file($this->file) && unlink($this->file);
    }

    /** @param list<string> $inputs what somebody answers */
    private function failed(array $arguments, array $inputs = []): int
    {
        $this->tester->setInputs($inputs);

        return $this->tester->execute($arguments, ['capture_stderr_separately' => true, 'interactive' => $inputs !== []]);
    }

    public function testListsAllPagesAsATable(): void
    {
        self::assertSame(0, $this->failed([]));

        $lines = explode("\n", rtrim($this->tester->getDisplay()));
        self::assertMatchesRegularExpression('/^died +id  event +listener +attempts  error$/', $lines[0]);
        self::assertCount(6, $lines);
        $died = date('Y-m-d H:i:s', 1_700_000_001);
        self::assertSame("$died  a   order.placed  warehouse  1         RuntimeException: the warehouse is busy", $lines[1]);
        self::assertSame('', $this->tester->getErrorOutput());

        $this->failed(['--params' => true]);
        self::assertSame($lines[1] . '  {"mail":"ada@example.org"}', explode("\n", $this->tester->getDisplay())[1]);
    }

    public function testListsALineOfJsonEach(): void
    {
        self::assertSame(0, $this->failed(['--json' => true, '--name' => 'order.*', '--params' => true]));

        $letters = array_map(static fn ($line) => json_decode($line, true), explode("\n", rtrim($this->tester->getDisplay())));
        self::assertSame([['cursor' => 1] + $this->control->letters[1], ['cursor' => 5] + $this->control->letters[5]], $letters);
    }

    public function testAListEndsAtItsLimitAndSaysSo(): void
    {
        self::assertSame(0, $this->failed(['--json' => true, '--limit' => '3']));
        self::assertSame(3, substr_count($this->tester->getDisplay(), "\n"));
        self::assertSame("There may be more than these 3: --limit=N or --all shows them.\n", $this->tester->getErrorOutput());
        self::assertSame([3, 1], array_column($this->control->requests, 'limit'));
    }

    public function testNothingToList(): void
    {
        self::assertSame(2, $this->failed(['--kind' => 'killed']));
        self::assertSame("No dead letters match.\n", $this->tester->getErrorOutput());

        $this->control->letters = [];
        self::assertSame(0, $this->failed([]));
        self::assertSame("There are no dead letters.\n", $this->tester->getErrorOutput());
        self::assertSame('', $this->tester->getDisplay());
    }

    public function testTextOfOthersMovesNoCursorAndIsNoTag(): void
    {
        $this->control->letters[1]['error'] = "\e[2J<error>boo</error>\r\nx\u{9b}y";
        $this->failed(['--id' => 'a', '--listener' => 'warehouse']);

        self::assertStringEndsWith("[2J<error>boo</error> x y\n", $this->tester->getDisplay());
        self::assertDoesNotMatchRegularExpression('/\e\[2J|\r/', $this->tester->getDisplay());
    }

    public function testShowsAllOfAnEvent(): void
    {
        $this->control->letters[5]['attempts'][0]['replayed'] = 1_700_000_002_000_000;
        self::assertSame(0, $this->failed(['action' => 'show', 'what' => ['a']]));

        $shown = $this->tester->getDisplay();
        self::assertSame(2, substr_count($shown, "order.placed, failed\n"));
        foreach (['listener   mail', 'in /srv/W.php:7', '    #1 b', '"mail": "ada@example.org"', 'replayed ' . date('Y-m-d H:i:s', 1_700_000_002)] as $part) {
            self::assertStringContainsString($part, $shown);
        }
    }

    public function testShowsWhatIsThereAndSaysWhatIsNot(): void
    {
        self::assertSame(2, $this->failed(['action' => 'show', 'what' => ['x', 'b'], '--json' => true]));
        self::assertSame('b', json_decode($this->tester->getDisplay(), true)['id']);
        self::assertSame("None of the dead letters has the id x.\n", $this->tester->getErrorOutput());
    }

    public function testReplaysByIdAndListener(): void
    {
        self::assertSame(0, $this->failed(['action' => 'replay', 'what' => ['a'], '--listener' => 'mail']));
        self::assertSame("1 dead letter replayed.\n", $this->tester->getDisplay());
        self::assertSame([1, 2, 3, 4], array_keys($this->control->letters));
    }

    public function testReplaysByFilterThroughAllPages(): void
    {
        self::assertSame(0, $this->failed(['action' => 'replay', '--name' => 'report.*', '--json' => true]));
        self::assertSame('{"done":3,"running":0,"missing":[]}' . "\n", $this->tester->getDisplay());
        self::assertSame([1, 5], array_keys($this->control->letters));
    }

    public function testReplaysTheFirstOfThem(): void
    {
        self::assertSame(0, $this->failed(['action' => 'replay', '--name' => 'report.*', '--limit' => '2']));
        self::assertSame("2 dead letters replayed.\n", $this->tester->getDisplay());
        self::assertSame([1, 4, 5], array_keys($this->control->letters));

        self::assertSame(0, $this->failed(['action' => 'replay', 'what' => ['d', 'a'], '--limit' => '2']));
        self::assertSame([5], array_keys($this->control->letters));
    }

    public function testWhatMatchesNothing(): void
    {
        self::assertSame(2, $this->failed(['action' => 'replay', 'what' => ['b', 'x']]));
        self::assertSame("1 dead letter replayed.\n", $this->tester->getDisplay());
        self::assertSame("None of the dead letters has the id x.\n", $this->tester->getErrorOutput());

        self::assertSame(2, $this->failed(['action' => 'discard', '--kind' => 'killed']));
        self::assertSame("0 dead letters discarded.\n", $this->tester->getDisplay());
    }

    public function testAsksBeforeManyAreDiscarded(): void
    {
        foreach (['no', ''] as $answer) {
            self::assertSame(1, $this->failed(['action' => 'discard', '--all' => true], [$answer]));
            self::assertCount(5, $this->control->letters);
        }
        self::assertStringContainsString('Discard all dead letters? They cannot be brought back. [y/N]', $this->tester->getErrorOutput());

        self::assertSame(0, $this->failed(['action' => 'purge', '--text' => 'ada@'], ['yes']));
        self::assertStringContainsString("Discard the dead letters with text 'ada@'?", $this->tester->getErrorOutput());
        self::assertSame([2, 3, 4], array_keys($this->control->letters));

        self::assertSame(0, $this->failed(['action' => 'discard', 'what' => ['b']], ['no']), 'not asked');
        self::assertSame(0, $this->failed(['action' => 'discard', '--all' => true, '--force' => true], ['no']));
        self::assertSame([], $this->control->letters);
    }

    public function testAScriptIsNotAsked(): void
    {
        self::assertSame(0, $this->failed(['action' => 'discard', '--all' => true]));
        self::assertSame("5 dead letters discarded.\n", $this->tester->getDisplay());
        self::assertSame('', $this->tester->getErrorOutput());
    }

    /**
     * @dataProvider wrong
     */
    public function testWrongArguments(array $arguments, string $message): void
    {
        $this->expectException(InvalidArgument::class);
        $this->expectExceptionMessage($message);
        $this->failed($arguments);
    }

    public static function wrong(): iterable
    {
        yield 'action' => [['action' => 'relpay'], "failed: there is no action 'relpay'; did you mean replay? Allowed: list, show, replay"];
        yield 'nothing said' => [['action' => 'replay'], 'replay: say which: ids, a filter (--name, --id,'];
        yield 'purge all' => [['action' => 'purge', '--all' => true], 'purge: give a filter, such as --name=NAME or --text=TEXT; ids are for discard'];
        yield 'purge ids' => [['action' => 'purge', 'what' => ['a'], '--name' => 'b'], 'ids are for discard'];
        yield 'ids twice' => [['action' => 'discard', 'what' => ['a'], '--id' => 'b'], '--id: the ids are given already'];
        yield 'ids and all' => [['action' => 'discard', 'what' => ['a'], '--all' => true], '--all: ids are given'];
        yield 'empty' => [['action' => 'discard', '--name' => ''], '--name is empty'];
        yield 'limit' => [['--limit' => '0'], "--limit: '0' is not allowed: give an integer, 1 or more"];
        yield 'show' => [['action' => 'show'], 'show: give the id of an event'];
        yield 'files' => [['action' => 'export', 'what' => ['a', 'b']], 'give one file, not 2'];
    }

    public function testExportsAndImports(): void
    {
        self::assertSame(0, $this->failed(['action' => 'export', 'what' => [$this->file], '--name' => 'report.*']));
        self::assertSame("3 dead letters exported.\n", $this->tester->getErrorOutput());
        self::assertSame(3, substr_count(file_get_contents($this->file), "\n"));
        self::assertSame(0600, fileperms($this->file) & 0777);
        self::assertCount(5, $this->control->letters, 'they stay');

        // An export is not replaced unasked.
        try {
            $this->failed(['action' => 'export', 'what' => [$this->file]]);
            self::fail('nothing was thrown');
        } catch (InvalidArgument $error) {
            self::assertSame("$this->file is there already: name another file, or replace it by --force", $error->getMessage());
        }
        self::assertSame(0, $this->failed(['action' => 'export', 'what' => [$this->file], '--force' => true]));

        $lines = array_map(static fn ($letter) => json_encode(['version' => 1] + $letter) . "\n", $this->control->letters);
        file_put_contents($this->file, implode("\n", $lines));
        self::assertSame(0, $this->failed(['action' => 'import', 'what' => [$this->file]]));
        self::assertSame("5 dead letters imported.\n", $this->tester->getDisplay());
        self::assertSame(['a', 'b', 'c', 'd', 'a'], array_column($this->control->imported, 'id'));
    }

    public function testExportsToStdout(): void
    {
        self::assertSame(0, $this->failed(['action' => 'export']));
        self::assertSame(['a', 'b', 'c', 'd', 'a'], array_map(
            static fn ($line) => json_decode($line, true)['id'],
            explode("\n", rtrim($this->tester->getDisplay()))
        ));
    }

    public function testImportsInRequestsOfBoundedSize(): void
    {
        $line = json_encode(['version' => 1] + FakeControl::letter('a', params: ['x' => str_repeat('x', 15_000)])) . "\n";
        file_put_contents($this->file, str_repeat($line, 5));
        self::assertSame(0, $this->failed(['action' => 'import', 'what' => [$this->file]]));
        self::assertSame([2, 2, 1], array_map('count', array_column($this->control->requests, 'letters')));
    }

    public function testABadLineIsNamedAndWhatIsBeforeItIsKept(): void
    {
        file_put_contents($this->file, json_encode(['version' => 1] + FakeControl::letter('a')) . "\n{\"nam\n");
        try {
            $this->failed(['action' => 'import', 'what' => [$this->file]]);
            self::fail('nothing was thrown');
        } catch (InvalidArgument $error) {
            self::assertSame("$this->file: line 2 is no dead letter; 1 was imported before", $error->getMessage());
        }
        self::assertCount(1, $this->control->imported);

        $large = json_encode(['version' => 1] + FakeControl::letter('b', params: ['x' => str_repeat('x', 40_000)])) . "\n";
        file_put_contents($this->file, $large . "\n" . json_encode(['version' => 2] + FakeControl::letter('b')) . "\n", FILE_APPEND);
        file_put_contents($this->file, str_replace("{\"nam\n", '', file_get_contents($this->file)));
        try {
            $this->failed(['action' => 'import', 'what' => [$this->file]]);
            self::fail('nothing was thrown');
        } catch (InvalidArgument $error) {
            self::assertSame("$this->file: lines 4 to 4: the daemon refused it; 2 were imported before", $error->getMessage());
        }

        $this->expectExceptionMessage('/nowhere/x can\'t be read: No such file or directory');
        $this->failed(['action' => 'import', 'what' => ['/nowhere/x']]);
    }
}
