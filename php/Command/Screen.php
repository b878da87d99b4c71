<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Helper\ProgressBar;
use Symfony\Component\Console\Helper\QuestionHelper;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\StreamableInputInterface;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Output\StreamOutput;
use Symfony\Component\Console\Question\ConfirmationQuestion;
use Symfony\Component\Console\Terminal;

/**
 * Where a command shows what it found and did: answers on stdout, all else on stderr, so that the answers can be piped.
 */
final class Screen
{
    private const JSON = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION | JSON_INVALID_UTF8_SUBSTITUTE
        | JSON_THROW_ON_ERROR;

    private OutputInterface $errors;

    /**
     * @param int|null $width characters of a line; null: those of the terminal, if it is one
     */
    public function __construct(private InputInterface $input, private OutputInterface $output, private ?int $width = null)
    {
        $this->errors = $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : $output;
    }

    /**
     * Text of others' is plain: what looks like a tag is none.
     */
    public function say(string $line = ''): void
    {
        $this->output->writeln($line, OutputInterface::OUTPUT_RAW);
    }

    public function heading(string $line): void
    {
        $this->output->writeln('<comment>' . OutputFormatter::escape($line) . '</comment>');
    }

    /** What is no answer. */
    public function note(string $line): void
    {
        $this->errors->writeln($line, OutputInterface::OUTPUT_RAW);
    }

    public function json(mixed $value, int $flags = 0): void
    {
        $this->say(self::encoded($value, $flags));
    }

    public static function encoded(mixed $value, int $flags = 0): string
    {
        return json_encode($value, self::JSON | $flags);
    }

    /**
     * A text in one line that moves no cursor and changes no colour, whoever wrote it.
     */
    public static function line(string $text): string
    {
        return trim(preg_replace('/[\p{Cc}\p{Zl}\p{Zp}]+/u', ' ', $text) ?? preg_replace('/[^\x20-\x7E]+/', '?', $text));
    }

    /**
     * A time as the daemon tells it.
     *
     * @param int|null $micros of wall time; null: none
     */
    public static function time(?int $micros, string $format = 'Y-m-d H:i:s'): string
    {
        return $micros === null ? '' : date($format, intdiv($micros, 1_000_000));
    }

    /** Characters of a line; null where nobody looks, and nothing needs to be cut. */
    public function width(): ?int
    {
        return $this->width ?? (self::isTerminal($this->output) ? (new Terminal())->getWidth() : null);
    }

    /**
     * Asks, where somebody is there to answer. Else the answer is yes: a script knows what it does.
     */
    public function agrees(string $question): bool
    {
        if ($this->input->getOption('force') || !$this->input->isInteractive() || !$this->hears()) {
            return true;
        }
        $question = new ConfirmationQuestion(OutputFormatter::escape($question) . ' [y/N] ', false);

        return (new QuestionHelper())->ask($this->input, $this->errors, $question);
    }

    private function hears(): bool
    {
        $stream = $this->input instanceof StreamableInputInterface ? $this->input->getStream() : null;

        return $stream !== null || stream_isatty(STDIN);
    }

    /**
     * A bar on a terminal, nothing elsewhere. Call it with what was done so far, and with null at the end.
     *
     * @param int $all how much there is; 0: unknown
     *
     * @return \Closure(int|null): void
     */
    public function progress(int $all): \Closure
    {
        if (!self::isTerminal($this->errors)) {
            return static function (): void {
            };
        }
        $bar = new ProgressBar($this->errors, $all);
        $bar->start();

        return static function (?int $done) use ($bar): void {
            $done === null ? $bar->clear() : $bar->setProgress($done);
        };
    }

    private static function isTerminal(OutputInterface $output): bool
    {
        return $output instanceof StreamOutput && stream_isatty($output->getStream());
    }
}
