<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * The producers: so many of each confirm level at any time. One that ended is followed by another.
 */
final class Fleet
{
    /** How many processes, and their part of all events. */
    private const LEVELS = ['none' => [2, 0.1], 'deferred' => [4, 0.5], 'accepted' => [3, 0.3], 'synced' => [2, 0.1]];

    /** @var array<int, array{string, resource, int}> level, process and pid by number */
    private array $running = [];
    private int $last = 0;

    public function __construct(private Site $site, private float $rate, private float $until)
    {
    }

    /** Takes in who has ended, and starts others in their places. */
    public function tick(): void
    {
        foreach ($this->running as $number => [, $process]) {
            $status = proc_get_status($process);
            if (!$status['running']) {
                $end = $status['signaled'] ? 'signal ' . $status['termsig'] : 'status ' . $status['exitcode'];
                $this->site->note('producers', $number, $end);
                proc_close($process);
                unset($this->running[$number]);
            }
        }
        foreach (microtime(true) < $this->until ? self::LEVELS : [] as $level => [$count, $part]) {
            $there = array_filter($this->running, static fn (array $producer): bool => $producer[0] === $level);
            for ($missing = $count - count($there); $missing > 0; $missing--) {
                $number = ++$this->last;
                $arguments = [(string) $number, $level, (string) ($this->rate * $part / $count), (string) $this->until];
                $process = $this->site->start('producer.php', 'producers.log', $arguments);
                $this->running[$number] = [$level, $process, proc_get_status($process)['pid']];
            }
        }
    }

    /**
     * Kills one.
     *
     * @return list<int> its pid, where there is one
     */
    public function kill(float $draw): array
    {
        $numbers = array_keys($this->running);
        if ($numbers === []) {
            return [];
        }
        // One that has ended is not reaped yet: its pid is still its own.
        $pid = $this->running[$numbers[(int) ($draw * count($numbers))]][2];
        posix_kill($pid, SIGKILL);

        return [$pid];
    }

    public function isEmpty(): bool
    {
        return $this->running === [];
    }

    public function count(): int
    {
        return $this->last;
    }
}
