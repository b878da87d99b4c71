<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\InvalidArgument;
use Proletarier\Exception\Rejected;
use Symfony\Component\Console\Input\InputInterface;

/**
 * The actions export and import: dead letters as lines of JSON, out of one daemon and into another.
 */
final class Transfer
{
    /** Bytes of letters that go in one request; a larger one goes alone. */
    private const BATCH = 32 * 1024;

    public function __construct(private Requests $requests, private Screen $screen)
    {
    }

    /**
     * Writes them to a new file, or to stdout. They stay where they are.
     */
    public function export(InputInterface $input): int
    {
        $file = $this->file($input);
        $filter = Selection::of($input, false)->filter;
        $limit = Listing::limit($input, null) ?? PHP_INT_MAX;
        $stream = $file === null ? null : $this->create($file, $input->getOption('force'));
        $progress = $this->screen->progress(0);
        $count = 0;
        foreach ($this->requests->pages('failed_export', 'letters', $filter, $limit) as $page) {
            foreach ($page as $letter) {
                $line = Screen::encoded($letter);
                $stream === null ? $this->screen->say($line) : $this->write($stream, $line . "\n", $file);
            }
            $count += count($page);
            $file === null || $progress($count);
        }
        if ($stream !== null && !(fflush($stream) && (!is_file($file) || fsync($stream)) && fclose($stream))) {
            throw $this->unusable($file, 'written');
        }
        $progress(null);
        $this->screen->note(number_format($count) . ($count === 1 ? ' dead letter' : ' dead letters') . ' exported.');

        return $count === 0 && $filter !== [] ? ActionCommand::NOTHING : 0;
    }

    /**
     * Reads lines that export wrote, from a file or from stdin. Each becomes a dead letter anew, also where the same is there already.
     */
    public function import(InputInterface $input): int
    {
        $file = $this->file($input);
        $stream = @fopen($file ?? 'php://stdin', 'r') ?: throw $this->unusable($file, 'read');
        $progress = $this->screen->progress(0);
        [$done, $batch, $size, $number] = [0, [], 0, 0];
        while (($line = fgets($stream)) !== false) {
            $number++;
            if (trim($line) === '') {
                continue;
            }
            if ($batch !== [] && $size + strlen($line) > self::BATCH) {
                $done += $this->send($batch, $file, $done);
                $progress($done);
                [$batch, $size] = [[], 0];
            }
            $letter = json_decode($line, true);
            if (!is_array($letter) || !isset($letter['name'], $letter['version'])) {
                // What came before is taken in, so that the message says where to go on.
                $done += $batch === [] ? 0 : $this->send($batch, $file, $done);
                throw $this->stopped($file, "line $number is no dead letter", $done);
            }
            $batch[$number] = $letter;
            $size += strlen($line);
        }
        $done += $batch === [] ? 0 : $this->send($batch, $file, $done);
        $progress(null);
        $input->getOption('json')
            ? $this->screen->json(['done' => $done])
            : $this->screen->say(number_format($done) . ($done === 1 ? ' dead letter' : ' dead letters') . ' imported.');

        return $done === 0 ? ActionCommand::NOTHING : 0;
    }

    /**
     * @param non-empty-array<int, array<string, mixed>> $batch by line; all of it is taken in, or none
     * @param int $done what was taken in before
     */
    private function send(array $batch, ?string $file, int $done): int
    {
        try {
            return $this->requests->import(array_values($batch));
        } catch (Rejected $error) {
            $lines = sprintf('lines %d to %d: %s', array_key_first($batch), array_key_last($batch), $error->getMessage());
            throw $this->stopped($file, $lines, $done);
        }
    }

    private function stopped(?string $file, string $why, int $done): InvalidArgument
    {
        return new InvalidArgument(
            sprintf('%s: %s; %s %s imported before', $file ?? 'stdin', $why, number_format($done), $done === 1 ? 'was' : 'were')
        );
    }

    /**
     * @throws InvalidArgument
     */
    private function file(InputInterface $input): ?string
    {
        $files = $input->getArgument('what');
        if (count($files) > 1) {
            throw new InvalidArgument(sprintf('give one file, not %d; ids are given by --id', count($files)));
        }

        return ($files[0] ?? '-') === '-' ? null : $files[0];
    }

    /**
     * @return resource for its owner only: params may be anybody's
     */
    private function create(string $file, bool $replace)
    {
        if (!$replace && file_exists($file)) {
            throw new InvalidArgument("$file is there already: name another file, or replace it by --force");
        }
        $mask = umask(0077);
        $stream = @fopen($file, $replace ? 'w' : 'x');
        umask($mask);

        return $stream ?: throw $this->unusable($file, 'written');
    }

    /**
     * @param resource $stream
     */
    private function write($stream, string $line, string $file): void
    {
        if (@fwrite($stream, $line) !== strlen($line)) {
            throw $this->unusable($file, 'written');
        }
    }

    private function unusable(?string $file, string $done): InvalidArgument
    {
        $reason = preg_replace('/^.*: /', '', error_get_last()['message'] ?? '');

        return new InvalidArgument(sprintf("%s can't be %s%s", $file ?? 'stdin', $done, $reason === '' ? '' : ": $reason"));
    }
}
