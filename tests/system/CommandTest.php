<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Exception\Rejected;
use Proletarier\Tests\Daemon;
use Proletarier\Tests\LoadedExtension;
use Proletarier\Tests\PhpProcess;

/**
 * The commands failed, waiting and trigger, as they are typed, on a daemon.
 */
final class CommandTest extends TestCase
{
    private const BIN = __DIR__ . '/../../bin/proletarier';

    private Daemon $daemon;
    private string $store;

    protected function setUp(): void
    {
        $this->store = sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4)) . '.store';
        // What fails is dead at once.
        $options = ['worker' => ['pool_size' => 2], 'retry' => ['max_attempts' => 1], 'store' => $this->store];
        $this->daemon = (new Daemon($options))->start();
        $this->configure(5);
    }

    /** Writes the commands' configuration, with the seconds that a client waits for a broker. */
    private function configure(float $timeout): void
    {
        $settings = [
            'runtime_dir' => $this->daemon->directory . '/run',
            // Not the daemon's, which thus leaves the spool to the command.
            'state_dir' => $this->daemon->directory . '/state',
            'client' => ['timeout' => $timeout],
        ];
        file_put_contents($this->daemon->directory . '/config.php', '<?php return ' . var_export($settings, true) . ';');
    }

    protected function tearDown(): void
    {
        $this->daemon->stop();
        exec('rm -rf ' . escapeshellarg($this->store));
    }

    private function command(string ...$arguments): PhpProcess
    {
        return PhpProcess::run($this->line(...$arguments));
    }

    /** @return list<string> */
    private function line(string ...$arguments): array
    {
        return ['-d', 'extension=' . LoadedExtension::file(), self::BIN, ...$arguments, '--config=' . $this->daemon->directory . '/config.php'];
    }

    /** What a command printed for programs. */
    private function json(string ...$arguments): array
    {
        $process = $this->command(...$arguments);
        $lines = $process->output === '' ? [] : explode("\n", rtrim($process->output));

        return array_map(static fn (string $line) => json_decode($line, true, 512, JSON_THROW_ON_ERROR), $lines);
    }

    private function awaitDead(int $count): void
    {
        $dead = fn (): int => \proletarier_control(['command' => 'status'], ['runtime_dir' => $this->daemon->directory . '/run'])['backlog']['dead'];
        Daemon::await(fn (): bool => $dead() === $count, fn (): string => "$count dead letters, of which there are {$dead()}");
    }

    public function testAFailureIsSeenMendedAndReplayed(): void
    {
        $client = $this->daemon->client(['confirm' => 'accepted']);
        $order = $client->trigger('one', ['do' => ['one' => 'mend'], 'article' => 'Äpfel'], ['headers' => ['traceparent' => '00-1']]);
        $client->trigger('one', ['do' => ['one' => 'throw']]);
        $this->awaitDead(2);

        $list = $this->command('failed');
        self::assertSame([0, ''], [$list->status, $list->errors]);
        self::assertMatchesRegularExpression('~^died +id +event +listener +attempts  error$~m', $list->output);
        self::assertMatchesRegularExpression("~^\\S+ \\S+  $order  one +one +1 +RuntimeException: the warehouse is busy$~m", $list->output);
        self::assertSame([$order], array_column($this->json('failed', '--text=Äpfel', '--json'), 'id'));

        $shown = $this->command('failed', 'show', $order);
        self::assertSame(0, $shown->status, $shown->errors);
        foreach (['one, failed', '"article": "Äpfel"', 'RuntimeException: the warehouse is busy', 'application.php:'] as $part) {
            self::assertStringContainsString($part, $shown->output);
        }

        touch($this->daemon->directory . '/mended');
        $replayed = $this->command('failed', 'replay', $order);
        self::assertSame([0, "1 dead letter replayed.\n", ''], [$replayed->status, $replayed->output, $replayed->errors]);
        [$handled] = $this->daemon->awaitHandled(1);
        self::assertSame([$order, 1], [$handled['id'], $handled['attempt']]);
        $this->awaitDead(1);

        $missing = $this->command('failed', 'show', $order);
        self::assertSame([2, '', "None of the dead letters has the id $order.\n"], [$missing->status, $missing->output, $missing->errors]);
    }

    public function testLettersOutliveTheirDaemonInAFile(): void
    {
        // Larger than any request would be without it.
        $params = ['do' => ['one' => 'mend'], 'large' => str_repeat('ü', 200_000), 'one' => 1.0];
        $id = $this->daemon->client()->trigger('one', $params, ['confirm' => 'accepted', 'headers' => ['a' => 'b']]);
        $this->daemon->client()->trigger('one', ['do' => ['one' => 'throw']], ['confirm' => 'accepted']);
        $this->awaitDead(2);
        $file = $this->daemon->directory . '/letters.jsonl';

        $export = $this->command('failed', 'export', $file, '--text=large');
        self::assertSame([0, "1 dead letter exported.\n"], [$export->status, $export->errors]);
        $discard = $this->command('failed', 'discard', '--all');
        self::assertSame([0, "2 dead letters discarded.\n"], [$discard->status, $discard->output]);
        $this->awaitDead(0);

        $import = $this->command('failed', 'import', $file);
        self::assertSame([0, "1 dead letter imported.\n", ''], [$import->status, $import->output, $import->errors]);
        touch($this->daemon->directory . '/mended');
        $this->command('failed', 'replay', '--all');
        [$handled] = $this->daemon->awaitHandled(1);
        self::assertSame([$id, $params], [$handled['id'], $handled['params']]);
    }

    public function testMoreLettersThanOneRequestLooksAt(): void
    {
        $client = $this->daemon->client(['confirm' => 'deferred']);
        foreach (range(1, 2500) as $n) {
            $client->trigger($n % 5 === 0 ? 'nobody' : 'noone', ['n' => $n]);
        }
        self::assertSame(0, $client->flush(10));
        $this->awaitDead(2500);

        self::assertCount(500, $this->json('failed', '--name=nobody', '--all', '--json'));
        $purged = $this->command('failed', 'purge', '--name=noone', '--force');
        self::assertSame([0, "2,000 dead letters discarded.\n"], [$purged->status, $purged->output]);
        // They have no listener still: each dies again, and is not met again.
        $replayed = $this->command('failed', 'replay', '--all');
        self::assertSame([0, "500 dead letters replayed.\n"], [$replayed->status, $replayed->output]);
        $this->awaitDead(500);
        $first = $this->command('failed', 'discard', '--all', '--limit=3');
        self::assertSame([0, "3 dead letters discarded.\n"], [$first->status, $first->output]);
        $this->awaitDead(497);
    }

    public function testWhatWaitsIsSeenAndTakenBack(): void
    {
        $client = $this->daemon->client(['confirm' => 'accepted']);
        $late = $client->trigger('one', ['n' => 'late'], ['delay' => 3600]);
        $running = $client->trigger('one', ['n' => 'running', 'sleep' => 3]);
        $this->daemon->workerOf('one');

        $states = array_column($this->json('waiting', '--json'), 'state', 'id');
        self::assertSame([$late => 'delayed', $running => 'running'], $states);
        $shown = $this->command('waiting', 'show', $late);
        self::assertStringContainsString('"n": "late"', $shown->output);
        self::assertStringContainsString('due        ' . date('Y-m-d H:', time() + 3600), $shown->output);

        $cancelled = $this->command('waiting', 'cancel', '--all');
        self::assertSame([0, "1 event cancelled.\n", "1 is with a worker, and can only finish.\n"], [$cancelled->status, $cancelled->output, $cancelled->errors]);
        self::assertSame(1, $this->command('waiting', 'cancel', $running)->status);
        self::assertSame([$running], array_column($this->daemon->awaitHandled(1), 'id'));
        $none = $this->command('waiting', 'cancel', $late);
        self::assertSame([2, "None of the waiting events has the id $late.\n"], [$none->status, $none->errors]);
    }

    public function testTriggerTellsWhatBecameOfTheEvent(): void
    {
        $wait = fn (string $params, string ...$more): PhpProcess => $this->command('trigger', 'one', $params, '--wait=10', ...$more);
        $handled = $wait('{"n": 1}');
        self::assertSame([0, ''], [$handled->status, $handled->errors]);
        self::assertMatchesRegularExpression("~^\\S{36}\nhandled\n\$~", $handled->output);

        $failed = $wait('{"do": {"one": "throw"}}', '--id=mine');
        self::assertSame([1, "mine\nfailed: one: RuntimeException: as asked\n"], [$failed->status, $failed->output]);

        $delayed = $this->command('trigger', 'one', '--delay=3600', '--id=late', '--wait=0.2');
        self::assertSame([2, "late\nstill waiting after 0.2 s\n"], [$delayed->status, $delayed->output]);

        [$process, $output] = $this->triggering('later', '--delay=3600');
        $this->command('waiting', 'cancel', 'later');
        self::assertStringStartsWith('cancelled', stream_get_contents($output));
        self::assertSame(1, proc_close($process));
    }

    public function testAUniqueKeyIsHeldForALimitedTime(): void
    {
        $client = $this->daemon->client();
        $trigger = static fn (string $key, array $more): string => $client->trigger('one', [], ['unique' => $key, 'delay' => 0.01] + $more);
        [$long, $short] = [$trigger('long', ['delay' => 3600]), $trigger('short', ['delay' => 0.2, 'unique_for' => 0.1])];
        self::assertSame($long, $trigger('long', []));
        self::assertSame($short, $trigger('short', []));
        // While it runs, its time is up.
        $sleeps = $client->trigger('one', ['sleep' => 2], ['unique' => 'sleeps', 'unique_for' => 0.2]);
        self::assertSame($sleeps, $trigger('sleeps', []));
        Daemon::await(static fn (): bool => $trigger('sleeps', []) !== $sleeps, static fn (): string => 'the time of the key');
        self::assertNotContains($sleeps, array_column($this->daemon->handled(), 'id'), 'it runs still');
    }

    public function testWhoWaitsOutlivesABrokerThatIsKilled(): void
    {
        [$process, $output] = $this->triggering('mine', '{"sleep": 1.5}');
        $this->daemon->workerOf('one');
        posix_kill($this->daemon->process('proletarier: broker'), SIGKILL);
        self::assertSame("handled\n", stream_get_contents($output));
        self::assertSame(0, proc_close($process));
        self::assertCount(1, $this->daemon->handled());
    }

    /** @return array{resource, resource} a process that waits for an event that it has triggered, and its stdout */
    private function triggering(string $id, string ...$more): array
    {
        $command = [PHP_BINARY, ...$this->line('trigger', 'one', "--id=$id", '--wait=20', ...$more)];
        $process = proc_open($command, [['file', '/dev/null', 'r'], ['pipe', 'w'], ['file', "{$this->daemon->directory}/clients", 'a']], $pipes);
        self::assertSame("$id\n", fgets($pipes[1]), $this->daemon->said());

        return [$process, $pipes[1]];
    }

    public function testSomebodyAtATerminalIsAsked(): void
    {
        $this->daemon->client()->trigger('nobody', [], ['confirm' => 'accepted']);
        $this->awaitDead(1);
        $discard = implode(' ', array_map('escapeshellarg', [PHP_BINARY, ...$this->line('failed', 'discard', '--all')]));
        $answer = static function (string $word) use ($discard): array {
            $process = proc_open(['script', '-qec', $discard, '/dev/null'], [['pipe', 'r'], ['pipe', 'w'], ['file', '/dev/null', 'w']], $pipes);
            fwrite($pipes[0], "$word\n");
            $shown = stream_get_contents($pipes[1]);

            return [proc_close($process), $shown];
        };
        [$status, $shown] = $answer('n');
        self::assertSame(1, $status, $shown);
        self::assertStringContainsString('Discard all dead letters? They cannot be brought back. [y/N]', $shown);
        $this->awaitDead(1);

        [$status, $shown] = $answer('y');
        self::assertSame(0, $status, $shown);
        self::assertStringContainsString('1/1 [', $shown, 'a bar');
        self::assertStringContainsString('1 dead letter discarded.', $shown);
    }

    public function testAnotherUserOfTheGroupMayAskAndTrigger(): void
    {
        if (posix_geteuid() !== 0) {
            self::markTestSkipped('only root can become another user');
        }
        $nobody = posix_getpwnam('nobody');
        $options = ['permissions' => ['group' => posix_getgrgid($nobody['gid'])['name']]];
        foreach ([false, true] as $isOlder) {
            $daemon = new Daemon($options);
            chmod($daemon->directory, 0711);
            // Without the group, an earlier daemon made it so.
            $isOlder && mkdir("$daemon->directory/run", 0700);
            $mask = umask(0077);
            $daemon->start();
            umask($mask);

            $process = PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '-r', sprintf(
                'posix_setgid(%d); posix_setuid(%d); $options = ["runtime_dir" => %s];'
                . 'echo proletarier_control(["command" => "status"], $options)["backlog"]["dead"];'
                . '(new Proletarier\Client(null, $options + ["timeout" => 5]))->trigger("one", [], ["confirm" => "accepted"]);',
                $nobody['gid'],
                $nobody['uid'],
                var_export("$daemon->directory/run", true),
            )]);
            self::assertSame([0, '0', ''], [$process->status, $process->output, $process->errors]);
            $daemon->awaitHandled(1);
            $modes = array_map(
                static fn (string $file): array => [sprintf('%o', fileperms($file) & 07777), filegroup($file)],
                ["$daemon->directory/run", "$daemon->directory/run/control.sock", "$daemon->directory/run/events.sock"]
            );
            self::assertSame([['2770', $nobody['gid']], ['660', $nobody['gid']], ['660', $nobody['gid']]], $modes);
        }
    }

    public function testTheDaemonsRefusalIsAnException(): void
    {
        $this->expectException(Rejected::class);
        $this->expectExceptionMessage('the daemon refused the request: ');
        \proletarier_control(['command' => 'statsu'], ['runtime_dir' => $this->daemon->directory . '/run']);
    }

    public function testWhatNoDaemonTookIsSeenAndHandedOver(): void
    {
        $this->daemon->stop();
        $this->configure(0.1);
        foreach (['first', 'second', 'third'] as $id) {
            $process = $this->command('trigger', 'one', '{"n": "ü"}', "--id=$id");
            self::assertSame([0, "$id\n"], [$process->status, $process->output], $process->errors);
            self::assertStringContainsString('the event is in the spool', $process->errors);
        }
        self::assertSame(['first', 'second', 'third'], array_column($this->json('spool', '--json'), 'id'));
        self::assertSame(['first'], array_column($this->json('spool', '--json', '--limit=1'), 'id'));
        self::assertStringContainsString('"n": "ü"', $this->command('spool', 'show', 'second')->output);

        $discarded = $this->command('spool', 'discard', 'second', 'fourth');
        self::assertSame([2, "1 event discarded.\n"], [$discarded->status, $discarded->output], $discarded->errors);
        self::assertSame(1, $this->command('spool', 'drain')->status);

        $this->daemon->start();
        $drained = $this->command('spool', 'drain');
        self::assertSame([0, "2 handed over, 0 left.\n", ''], [$drained->status, $drained->output, $drained->errors]);
        self::assertEqualsCanonicalizing(['first', 'third'], array_column($this->daemon->awaitHandled(2), 'id'));
        self::assertSame(2, $this->command('spool', 'drain')->status, 'nothing is left');
        self::assertSame("There are no spooled events.\n", $this->command('spool')->errors);
    }

    public function testNoDaemon(): void
    {
        $this->daemon->stop();
        $socket = 'ipc://' . $this->daemon->directory . '/run/control.sock';
        foreach ([['failed'], ['waiting', 'cancel', '--all'], ['trigger', 'one', '--wait']] as $arguments) {
            $process = $this->command(...$arguments);
            self::assertSame(
                [1, '', "proletarier: no daemon answers at $socket: is it running (proletarier run)?\n"],
                [$process->status, $process->output, $process->errors]
            );
        }
    }
}
