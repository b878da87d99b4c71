<?php

declare(strict_types=1);

namespace Proletarier\Tests;

/**
 * A daemon in processes of its own, with a directory of its own: what its listeners wrote, what it logged, which processes it has.
 *
 * Whatever a test does to it, nothing of it is left after stop().
 */
final class Daemon
{
    private const DEADLINE = 20.0;

    public readonly string $directory;

    /** @var resource|null */
    private $process;
    private int $pid = 0;

    /**
     * @param array<string, mixed> $options of proletarier_run(); runtime_dir is set, and %dir% is the directory
     * @param string $application the file that runs it, which gets the directory and the options as JSON
     * @param list<string> $ini arguments of php
     */
    public function __construct(
        private array $options = [],
        private string $application = __DIR__ . '/system/application.php',
        private array $ini = []
    ) {
        $this->directory = sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4));
        mkdir($this->directory, 0700);
        array_walk_recursive($this->options, function (mixed &$value): void {
            $value = is_string($value) ? str_replace('%dir%', $this->directory, $value) : $value;
        });
        $this->options += ['runtime_dir' => $this->directory . '/run', 'retry' => ['delay' => 0.05]];
    }

    public function __destruct()
    {
        $this->stop();
        exec('rm -rf ' . escapeshellarg($this->directory));
    }

    /** Starts it and waits until it is ready. */
    public function start(): self
    {
        $ready = substr_count($this->log(), 'the daemon is ready');
        $this->launch();
        self::await(fn (): bool => substr_count($this->log(), 'the daemon is ready') > $ready, fn (): string => 'ready: ' . $this->log());

        return $this;
    }

    /** Starts it and does not wait. */
    public function launch(): self
    {
        $log = ['file', $this->directory . '/log', 'a'];
        $command = [PHP_BINARY, ...$this->arguments(), $this->application, $this->directory, json_encode($this->options)];
        $this->process = proc_open($command, [['file', '/dev/null', 'r'], $log, $log], $pipes);
        $this->pid = proc_get_status($this->process)['pid'];

        return $this;
    }

    /** @return list<string> arguments of php that load the extension */
    public function arguments(): array
    {
        return [...$this->ini, ...(extension_loaded('proletarier') ? ['-d', 'extension=' . LoadedExtension::file()] : [])];
    }

    public function option(string $key): mixed
    {
        return $this->options[$key] ?? null;
    }

    public function pid(): int
    {
        return $this->pid;
    }

    public function signal(int $signal): void
    {
        posix_kill($this->pid, $signal);
    }

    /** Waits for its end; the exit status, or minus the signal that ended it. */
    public function status(): int
    {
        $status = ['running' => true];
        self::await(function () use (&$status): bool {
            $status = proc_get_status($this->process);

            return !$status['running'];
        }, fn (): string => 'the end: ' . $this->log());
        proc_close($this->process);
        $this->process = null;

        return $status['signaled'] ? -$status['termsig'] : $status['exitcode'];
    }

    /** Ends it by force, with all that belongs to it. */
    public function stop(): void
    {
        foreach ([$this->pid, ...array_keys($this->processes())] as $pid) {
            if ($pid > 0) {
                posix_kill($pid, SIGKILL);
            }
        }
        if ($this->process !== null) {
            proc_close($this->process);
            $this->process = null;
        }
        $this->pid = 0;
    }

    public function log(): string
    {
        return (string) @file_get_contents($this->directory . '/log');
    }

    /** @return array<int, string> titles by pid, of every process that has its runtime directory's lock open */
    public function processes(): array
    {
        $found = [];
        foreach (glob('/proc/[0-9]*') ?: [] as $process) {
            foreach (@scandir("$process/fd") ?: [] as $descriptor) {
                if (@readlink("$process/fd/$descriptor") === $this->directory . '/run/lock') {
                    $found[(int) basename($process)] = rtrim(strtr((string) @file_get_contents("$process/cmdline"), "\0", ' '));
                    break;
                }
            }
        }

        return $found;
    }

    /** @return int the pid of a process whose title begins so; waits until there is one */
    public function process(string $title): int
    {
        return $this->find(static fn (string $known): bool => str_starts_with($known, $title), $title);
    }

    /** @return int the pid of a worker that runs this event; waits until there is one */
    public function workerOf(string $event): int
    {
        return $this->find(static fn (string $known): bool => str_ends_with($known, "[$event]"), "of a worker of $event");
    }

    /** @param callable(string): bool $fits */
    private function find(callable $fits, string $what): int
    {
        $pid = 0;
        self::await(function () use ($fits, &$pid): bool {
            $pid = array_key_first(array_filter($this->processes(), $fits)) ?? 0;

            return $pid > 0;
        }, fn (): string => "a process $what among " . implode(', ', $this->processes()));

        return $pid;
    }

    /**
     * What the listeners wrote so far, a line each.
     *
     * @return list<array<string, mixed>>
     */
    public function handled(): array
    {
        $lines = explode("\n", rtrim((string) @file_get_contents($this->directory . '/handled'), "\n"));

        return array_map(static fn (string $line): array => json_decode($line, true, 512, JSON_THROW_ON_ERROR), array_filter($lines));
    }

    /**
     * Waits until the listeners have written so many lines.
     *
     * @return list<array<string, mixed>>
     */
    public function awaitHandled(int $count, float $deadline = self::DEADLINE): array
    {
        $file = $this->directory . '/handled';
        $lines = static fn (): int => substr_count((string) @file_get_contents($file), "\n");
        $what = fn (): string => "$count lines, of which there are {$lines()}: " . substr($this->log(), -2000)
            . '; the clients said: ' . substr($this->said(), -2000);
        self::await(static fn (): bool => $lines() >= $count, $what, $deadline);

        return $this->handled();
    }

    public function client(array $options = []): \Proletarier\ClientInterface
    {
        return new \Proletarier\Client(null, $options + ['runtime_dir' => $this->options['runtime_dir'], 'timeout' => 5]);
    }

    /**
     * Runs PHP code as a client process: it has `$client`, and what `$more` defines.
     *
     * @return resource of proc_open
     */
    public function clientProcess(string $code, string $confirm = 'deferred')
    {
        $make = sprintf(
            'require %s; $client = new Proletarier\Client(null, ["runtime_dir" => %s, "timeout" => 5, "confirm" => %s]);',
            var_export(__DIR__ . '/bootstrap.php', true),
            var_export($this->options['runtime_dir'], true),
            var_export($confirm, true),
        );
        $log = ['file', $this->directory . '/clients', 'a'];

        return proc_open([PHP_BINARY, ...$this->arguments(), '-r', $make . $code], [['file', '/dev/null', 'r'], $log, $log], $pipes);
    }

    /** What the client processes said. */
    public function said(): string
    {
        return (string) @file_get_contents($this->directory . '/clients');
    }

    /**
     * @param callable(): bool $condition
     * @param callable(): string $what
     */
    public static function await(callable $condition, callable $what, float $deadline = self::DEADLINE): void
    {
        $until = microtime(true) + $deadline;
        while (!$condition()) {
            if (microtime(true) > $until) {
                throw new \RuntimeException("waited $deadline s for " . $what());
            }
            usleep(5_000);
        }
    }
}
