<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

use Proletarier\Tests\LoadedExtension;

/**
 * The directory of a run: the settings that daemon, producers and operator share, and a file for each thing that is written down.
 */
final class Site
{
    public function __construct(public readonly string $directory, public readonly string $seed)
    {
    }

    public static function make(string $seed): self
    {
        $site = new self(sys_get_temp_dir() . '/proletarier-soak-' . bin2hex(random_bytes(4)), $seed);
        mkdir($site->directory, 0700);
        mkdir($site->file('produced'));

        return $site;
    }

    public function file(string $name): string
    {
        return "$this->directory/$name";
    }

    /** @return array<string, mixed> */
    public function paths(): array
    {
        return ['state_dir' => $this->file('state'), 'runtime_dir' => $this->file('run')];
    }

    /** @return array<string, mixed> */
    public function settings(): array
    {
        return $this->paths() + [
            'worker' => ['pool_size' => ['min' => 3, 'max' => 5], 'grace' => 10, 'max_events' => 2000, 'max_lifetime' => 20],
            'queues' => Events::QUEUES,
            'retry' => ['max_attempts' => 10, 'delay' => 0.1, 'multiplier' => 2, 'max_delay' => 1],
            'log' => ['level' => 'debug', 'format' => 'json'],
        ];
    }

    public function spoolIsEmpty(): bool
    {
        return (glob($this->file('state/spool') . '/*.spool') ?: []) === [];
    }

    /**
     * Starts a process of the run.
     *
     * @param string $script a file beside this one
     * @param string $log what it prints goes there
     * @param list<string> $arguments after the directory and the seed
     * @return resource of proc_open
     */
    public function start(string $script, string $log, array $arguments = [])
    {
        $out = ['file', $this->file($log), 'a'];
        $php = [PHP_BINARY, '-d', 'extension=' . LoadedExtension::file(), '-d', 'log_errors=1', '-d', 'display_errors=0', '-d', 'html_errors=0'];
        $command = [...$php, __DIR__ . "/$script", $this->directory, $this->seed, ...$arguments];
        $process = proc_open($command, [['file', '/dev/null', 'r'], $out, $out], $pipes);

        return $process !== false ? $process : throw new \RuntimeException("can't start $script");
    }

    /** Writes a line: all of it or nothing, whoever else writes there, and whatever kills the writer. */
    public function note(string $file, string|int|float ...$words): void
    {
        file_put_contents($this->file($file), implode(' ', $words) . "\n", FILE_APPEND);
    }

    /** @return \Generator<list<string>> the words of each line */
    public function lines(string $file): \Generator
    {
        $handle = @fopen($this->file($file), 'r');
        if ($handle === false) {
            return;
        }
        while (($line = fgets($handle)) !== false) {
            if (str_ends_with($line, "\n")) {
                yield explode(' ', rtrim($line, "\n"));
            }
        }
        fclose($handle);
    }
}
