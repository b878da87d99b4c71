<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\BrokerUnavailable;

/**
 * Waits until an event is over, and tells how: what `trigger --wait` does.
 */
final class Outcome
{
    /** Where nothing else is said. */
    public const SECONDS = 60.0;
    /** Microseconds between two questions: at first, and at most. */
    private const PAUSES = [10_000, 250_000];

    /**
     * @param object $control the service Proletarier\Control
     * @param float $seconds how long at most
     */
    public function __construct(private object $control, private Screen $screen, private float $seconds)
    {
    }

    /** An id for an event that has none of its user's: a UUIDv7, 48 bits of milliseconds and then random ones. */
    public static function id(): string
    {
        $bytes = substr(pack('J', (int) (microtime(true) * 1000)), 2) . random_bytes(10);
        $bytes[6] = chr(0x70 | ord($bytes[6]) & 0x0F);
        $bytes[8] = chr(0x80 | ord($bytes[8]) & 0x3F);

        return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
    }

    public function watch(string $id): void
    {
        $this->control->request(['command' => 'watch', 'id' => $id]);
    }

    /**
     * @param bool $spooled whether it is in the spool, and may come to the daemon only later
     *
     * @return int the exit status
     */
    public function await(string $id, bool $spooled): int
    {
        $until = microtime(true) + $this->seconds;
        $pause = self::PAUSES[0];
        while (true) {
            $outcome = $this->ask($id, $spooled);
            switch ($outcome['state']) {
                case 'handled':
                    $this->screen->say('handled');

                    return 0;
                case 'failed':
                case 'cancelled':
                    $error = Screen::line($outcome['error'] ?? '');
                    $this->screen->say($outcome['state'] . ($error === '' ? '' : ": $error"));

                    return 1;
                case 'unknown':
                    $this->screen->say('unknown: the daemon was replaced, and has this event neither waiting nor failed');

                    return ActionCommand::NOTHING;
            }
            $left = (int) (($until - microtime(true)) * 1e6);
            if ($left <= 0) {
                $this->screen->say(sprintf('still waiting after %s s', (string) $this->seconds));

                return ActionCommand::NOTHING;
            }
            usleep(min($pause, $left));
            $pause = min($pause * 2, self::PAUSES[1]);
        }
    }

    /**
     * @return array<string, mixed>
     */
    private function ask(string $id, bool $spooled): array
    {
        try {
            $outcome = $this->control->request(['command' => 'outcome', 'id' => $id]);

            return $outcome['state'] === 'unknown' ? $this->lookFor($id, $spooled) : $outcome;
        } catch (BrokerUnavailable) {
            // It is being replaced, and the event is kept meanwhile.
            return ['state' => 'waiting'];
        }
    }

    /**
     * A broker that was replaced remembers no watch, but has what waits and what failed.
     *
     * @return array<string, mixed>
     */
    private function lookFor(string $id, bool $spooled): array
    {
        // First: what ends while it is looked for is told with the next question.
        $this->watch($id);
        $requests = new Requests($this->control);
        foreach ($requests->pages('failed', 'letters', ['id' => $id], 1, ['params' => false]) as [$letter]) {
            return ['state' => 'failed', 'error' => Letter::listeners($letter) . ": {$letter['error']}"];
        }
        foreach ($requests->pages('waiting', 'events', ['id' => $id], 1, ['params' => false]) as $page) {
            return ['state' => 'waiting'];
        }

        return ['state' => $spooled ? 'waiting' : 'unknown'];
    }
}
