<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Client;
use Proletarier\Exception\BrokerUnavailable;
use Proletarier\Tests\Daemon;
use Proletarier\Tests\LoadedExtension;
use Proletarier\Tests\PhpProcess;
use Proletarier\Tests\SpoolFile;

/**
 * Where events go while the daemon is down, and how they come back: as PHP code, other users and a full disk see it.
 */
final class SpoolTest extends TestCase
{
    private Daemon $daemon;

    protected function setUp(): void
    {
        $this->daemon = new Daemon(['state_dir' => '%dir%/state', 'runtime_dir' => '%dir%/run', 'worker' => ['pool_size' => 2]]);
    }

    public function testTheDaemonDownIsNoOutage(): void
    {
        $client = $this->client(['timeout' => 0.2]);
        $began = microtime(true);
        $ids = [];
        foreach (['deferred', 'accepted', 'synced', 'accepted', 'deferred'] as $confirm) {
            $ids[] = $client->trigger('one', ['n' => count($ids)], ['confirm' => $confirm]);
        }
        self::assertSame(0, $client->flush());
        self::assertSame(5, $client->spooled());
        self::assertLessThan(0.8, microtime(true) - $began, 'one wait, not five');
        self::assertSame($ids, array_column($this->spool('list')['records'], 'id'));
        $this->daemon->start();
        self::assertEqualsCanonicalizing($ids, array_column($this->daemon->awaitHandled(5), 'id'));
        $this->awaitEmpty();
        // A client that waits longer than a busy machine makes it.
        $patient = $this->client(['timeout' => 20]);
        $spooled = $patient->spooled();
        $late = $patient->trigger('one', [], ['confirm' => 'accepted']);
        self::assertSame($late, $this->daemon->awaitHandled(6)[5]['id']);
        self::assertSame($spooled, $patient->spooled(), 'that one went to the broker');
    }

    public function testAnEventThatMustNotBeSpooledThrows(): void
    {
        foreach (['deferred', 'accepted'] as $confirm) {
            try {
                $this->client(['timeout' => 0.05])->trigger('one', [], ['spool' => false, 'confirm' => $confirm]);
                self::fail('nobody has it');
            } catch (BrokerUnavailable $error) {
                self::assertStringContainsString('no broker answered', $error->getMessage());
            }
        }
        self::assertSame([], $this->spool('list')['records']);
    }

    public function testAProcessThatEndsAtOnceLeavesItsEvents(): void
    {
        $run = $this->php('foreach (range(1, 50) as $n) { echo $client->trigger("one", ["n" => $n]), "\n"; }');
        self::assertSame([0, ''], [$run->status, $run->errors]);
        $ids = explode("\n", rtrim($run->output));
        self::assertSame($ids, array_column($this->spool('list')['records'], 'id'));
        $this->daemon->start();
        self::assertEqualsCanonicalizing($ids, array_column($this->daemon->awaitHandled(50), 'id'));
    }

    public function testACopyThatIsDrainedThreeDaysLaterRunsOnce(): void
    {
        $ids = array_map(fn (): string => $this->client(['timeout' => 0.1])->trigger('one', [], ['confirm' => 'accepted']), range(1, 3));
        $copy = SpoolFile::read($this->spoolDirectory() . '/events.spool')->earlier(3 * 86_400);
        $this->daemon->start();
        $this->daemon->awaitHandled(3);
        $this->awaitEmpty();
        $this->restart();
        $copy->put($this->spoolDirectory());
        $this->awaitEmpty();
        $counters = \proletarier_control(['command' => 'status'], $this->options())['counters'];
        self::assertSame([3, 0], [$counters['duplicates'], $counters['dead']]);

        // One that nobody has, as old: it runs. One of last month: it is kept, and told of.
        SpoolFile::of('fresh', 'one')->earlier(3 * 86_400)->put($this->spoolDirectory());
        self::assertSame([...$ids, 'fresh'], array_column($this->daemon->awaitHandled(4), 'id'));
        SpoolFile::of('stale', 'one')->earlier(30 * 86_400)->put($this->spoolDirectory());
        $this->awaitEmpty();
        $letters = \proletarier_control(['command' => 'failed'], $this->options())['letters'];
        self::assertSame([['stale', 'stale_spool']], array_map(static fn (array $letter): array => [$letter['id'], $letter['kind']], $letters));
        self::assertCount(4, $this->daemon->handled());
    }

    public function testWhatIsInTheSpoolIsListedDiscardedAndHandedOver(): void
    {
        $client = $this->client(['timeout' => 0.05]);
        $ids = array_map(static fn (int $n): string => $client->trigger('one', ['n' => $n], ['confirm' => 'accepted']), range(1, 5));
        $page = $this->spool('list', ['limit' => 2, 'params' => true]);
        self::assertSame([['n' => 1], ['n' => 2]], array_column($page['records'], 'params'));
        self::assertSame('one', $page['records'][0]['name']);
        self::assertLessThan(60, abs($page['records'][0]['spooled_at'] / 1e6 - time()));
        $page = $this->spool('list', ['limit' => 2, 'after' => $page['next']]);
        self::assertSame([$ids[2], $ids[3]], array_column($page['records'], 'id'));
        self::assertArrayNotHasKey('params', $page['records'][0]);
        self::assertSame([$ids[4]], array_column($this->spool('list', ['id' => $ids[4]])['records'], 'id'));

        self::assertSame(0, $this->spool('discard', ['id' => 'none'])['done']);
        self::assertSame(1, $this->spool('discard', ['id' => $ids[1]])['done']);
        try {
            \proletarier_spool('drain', ['client' => ['timeout' => 0.05]] + $this->options());
            self::fail('nobody is there');
        } catch (BrokerUnavailable $error) {
            self::assertStringContainsString('no broker answered', $error->getMessage());
        }
        self::assertSame(4, $this->spool('discard', ['all' => true])['done']);
        self::assertSame(['records' => [], 'next' => null], $this->spool('list'));
    }

    public function testAnotherUserOfTheGroupTriggersAndSpools(): void
    {
        self::asRoot();
        $this->daemon = new Daemon([
            'state_dir' => '%dir%/state', 'runtime_dir' => '%dir%/run', 'permissions' => ['group' => 'www-data'],
        ]);
        chmod($this->daemon->directory, 0755);
        mkdir("{$this->daemon->directory}/state");
        chgrp("{$this->daemon->directory}/state", 'www-data');
        chmod("{$this->daemon->directory}/state", 02770);
        $trigger = 'echo $client->trigger("one", [], ["confirm" => "accepted"]), " ", $client->spooled();';
        // The web user comes first, and has a strict umask: what it makes is the daemon's as well.
        [$first, $spooled] = explode(' ', $this->phpAs('www-data', $trigger)->output);
        self::assertSame('1', $spooled);
        foreach (['' => 02770, '/events.spool' => 0660] as $name => $mode) {
            $found = stat($this->spoolDirectory() . $name);
            self::assertSame([posix_getpwnam('www-data')['uid'], posix_getgrnam('www-data')['gid']], [$found['uid'], $found['gid']]);
            self::assertSame(sprintf('%o', $mode), sprintf('%o', $found['mode'] & 07777));
        }
        $this->daemon->start();
        [$second, $spooled] = explode(' ', $this->phpAs('www-data', $trigger)->output);
        self::assertSame('0', $spooled, 'the socket is the group\'s, too: ' . $this->daemon->log());
        $handled = array_column($this->daemon->awaitHandled(2), 'id');
        self::assertEqualsCanonicalizing([$first, $second], $handled);
        $this->daemon->signal(SIGTERM);
        $this->daemon->status();
        $third = explode(' ', $this->phpAs('www-data', $trigger)->output)[0];
        $this->daemon->start();
        self::assertSame($third, $this->daemon->awaitHandled(3)[2]['id']);
    }

    public function testPermissionDeniedIsToldWithTheFix(): void
    {
        self::asRoot();
        $this->daemon->start();
        chmod($this->daemon->directory, 0755);
        $run = $this->phpAs('www-data', '$client->trigger("one", ["secret" => 1], ["confirm" => "accepted"]);');
        self::assertSame(255, $run->status);
        self::assertStringContainsString('BrokerUnavailable', $run->errors);
        self::assertMatchesRegularExpression('/proletarier: permission denied: www-data can\'t .* set permissions.group .* chgrp -R GROUP/', $run->errors);
        self::assertSame(1, substr_count($run->errors, 'proletarier: permission denied'), 'once a minute');

        $run = $this->phpAs('www-data', '$client->trigger("one", ["secret" => 1]);');
        self::assertSame(0, $run->status);
        self::assertStringContainsString('"proletarier":"lost"', $run->errors);
        self::assertStringContainsString('"params":{"secret":1}', $run->errors);
    }

    public function testAFullDiskIsToldAndLosesNothingThatWasThere(): void
    {
        self::asRoot();
        mkdir($this->spoolDirectory(), 0700, true);
        exec(sprintf('mount -t tmpfs -o size=64k tmpfs %s 2>&1', escapeshellarg($this->spoolDirectory())), $output, $failed);
        if ($failed !== 0) {
            self::markTestSkipped('no file system can be mounted here: ' . implode(' ', $output));
        }
        try {
            $client = $this->client(['timeout' => 0.05]);
            $ids = [];
            try {
                while (count($ids) < 100) {
                    $ids[] = $client->trigger('one', ['text' => str_repeat('x', 3000)], ['confirm' => 'accepted']);
                }
                self::fail('no room for 300 KB');
            } catch (BrokerUnavailable $error) {
                self::assertMatchesRegularExpression('/no broker answered .* could not be spooled: .*No space left/', $error->getMessage());
            }
            self::assertGreaterThan(10, count($ids));
            // A small one may find room behind: what did not fit has left nothing.
            $run = $this->php('$client->trigger("one", ["text" => str_repeat("y", 9000)]);');
            self::assertStringContainsString('"proletarier":"lost"', $run->errors);
            $this->daemon->start();
            self::assertEqualsCanonicalizing($ids, array_column($this->daemon->awaitHandled(count($ids)), 'id'));
            $this->awaitEmpty();
            self::assertStringNotContainsString('damaged', $this->daemon->log());
            $this->daemon->stop();
        } finally {
            exec('umount ' . escapeshellarg($this->spoolDirectory()));
        }
    }

    public function testProducersAreKilledAndTheDaemonComesAndGoes(): void
    {
        $code = 'for ($n = 0; ; $n++) { file_put_contents(%s, $client->trigger("one", ["n" => $n], ["confirm" => "accepted"]) . "\n", FILE_APPEND); }';
        $told = "{$this->daemon->directory}/told";
        touch($told);
        foreach (range(1, 4) as $round) {
            $producers = array_map(fn (): mixed => $this->start(sprintf($code, var_export($told, true))), range(1, 2));
            $before = filesize($told);
            Daemon::await(static function () use ($told, $before): bool {
                clearstatcache();

                return filesize($told) > $before + 37 * 200;
            }, static fn (): string => 'producers');
            if ($round % 2 === 1) {
                $this->daemon->start();
            }
            foreach ($producers as $producer) {
                proc_terminate($producer, SIGKILL);
                proc_close($producer);
            }
            if ($round === 2) {
                $this->daemon->signal(SIGTERM);
                $this->daemon->status();
            }
        }
        $this->awaitEmpty();
        $ids = array_filter(file($told, FILE_IGNORE_NEW_LINES), static fn (string $id): bool => strlen($id) === 36);
        $this->daemon->awaitHandled(count($ids));
        Daemon::await(fn (): bool => array_diff($ids, array_column($this->daemon->handled(), 'id')) === [], static fn (): string => 'each event', 60);
        $handled = array_column($this->daemon->handled(), 'id');
        self::assertSame(count($handled), count(array_unique($handled)), 'none runs twice');
    }

    private static function asRoot(): void
    {
        if (posix_geteuid() !== 0) {
            self::markTestSkipped('only root can be two users, and mount');
        }
    }

    /** @return array<string, mixed> */
    private function options(): array
    {
        return ['state_dir' => "{$this->daemon->directory}/state", 'runtime_dir' => "{$this->daemon->directory}/run"];
    }

    private function client(array $options = []): Client
    {
        return new Client(null, $options + $this->options());
    }

    /** @return array<string, mixed> */
    private function spool(string $action, array $options = []): array
    {
        return \proletarier_spool($action, $options + $this->options());
    }

    private function spoolDirectory(): string
    {
        return "{$this->daemon->directory}/state/spool";
    }

    private function awaitEmpty(): void
    {
        Daemon::await(fn (): bool => (glob("{$this->spoolDirectory()}/*.spool") ?: []) === [], fn (): string => 'an empty spool: ' . $this->daemon->log());
    }

    private function restart(): void
    {
        $this->daemon->signal(SIGTERM);
        self::assertSame(0, $this->daemon->status());
        $this->daemon->start();
    }

    /** PHP code that has a client. */
    private function code(string $code): string
    {
        $permissions = $this->daemon->option('permissions');
        $options = ['timeout' => 0.1] + $this->options() + ($permissions === null ? [] : ['permissions' => $permissions]);

        return sprintf('$client = new Proletarier\Client(null, %s); ', var_export($options, true)) . $code;
    }

    private function php(string $code): PhpProcess
    {
        return PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '-r', $this->code($code)]);
    }

    private function phpAs(string $user, string $code): PhpProcess
    {
        $become = sprintf('posix_setgid(%1$s["gid"]); posix_setuid(%1$s["uid"]); umask(077); ', sprintf('posix_getpwnam(%s)', var_export($user, true)));

        return PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '-r', $become . $this->code($code)]);
    }

    /** @return resource of proc_open */
    private function start(string $code)
    {
        $log = ['file', "{$this->daemon->directory}/clients", 'a'];
        $command = [PHP_BINARY, '-d', 'extension=' . LoadedExtension::file(), '-r', $this->code($code)];

        return proc_open($command, [['file', '/dev/null', 'r'], $log, $log], $pipes);
    }
}
